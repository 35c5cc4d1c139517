package artifacts

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Bucket is where artifacts are kept in one Region.
type Bucket struct {
	Name   string
	KMSKey string // ID, ARN or alias; empty: as the bucket encrypts by itself
}

// Options say where artifacts are kept, and as whom they are read and written.
type Options struct {
	Bucket
	Prefix   string            // of all keys, without a slash at its end; it belongs to one rollcall
	Region   string            // of the bucket; empty: the Region of the accounts
	Regions  map[string]Bucket // where actions of other Regions read and write
	Account  string            // who owns the buckets; empty: whose credentials these are
	Accounts *accounts.Accounts
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Store keeps artifacts in S3. Its methods may be called from any goroutine.
//
//	s3://BUCKET/PREFIX/PIPELINE/ARTIFACT/SHA256.zip      put from here; PIPELINE cut to 20, ARTIFACT to 10
//	s3://BUCKET/PREFIX/PIPELINE/TOKEN/ARTIFACT           written by a service of AWS's for an action
//
// The first form is what CodeBuild, CodeDeploy, Lambda and CloudFormation read, so
// nothing passes through rollcall that need not. A repeat stores nothing anew and
// nothing is overwritten, except what is damaged. An action in another Region reads
// a copy under the same key in the bucket of that Region.
//
// Every bucket is asked for with the account that must own it, every object by its
// version, and what is read is proved by its digest.
type Store struct {
	o Options

	mu    sync.Mutex
	owner string
	used  map[string]time.Time // objects by "s3://bucket/key": what is in use although nothing durable says so
}

// Open returns a store that has asked nobody yet.
func Open(o Options) *Store {
	o.Prefix = strings.Trim(o.Prefix, "/")
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{o: o, owner: o.Account, used: map[string]time.Time{}}
}

const (
	scheme    = "s3://"
	ofVersion = "?versionId="
)

// nameOf is an object without its version.
func nameOf(o Object) string { return scheme + o.Bucket + "/" + o.Key }

// Object is where an artifact is, in whichever Region it was made.
func (s *Store) Object(a workflows.Artifact) (Object, error) {
	if a.At == "" {
		return Object{}, &MissingError{a.Name, "any bucket", "it is in the data folder only, because it was made before aws.artifacts was set; run the action that made it again"}
	}
	o, ok := parse(a.At)
	if !ok {
		return Object{}, &MissingError{a.Name, a.At, "that is no object in S3"}
	}
	o.Digest, o.Size, o.Region = a.Digest, a.Size, s.regionOf(o.Bucket)
	return o, nil
}

// regionOf is the Region of a bucket of ours; empty: the store's own, or not known.
func (s *Store) regionOf(bucket string) string {
	for region, b := range s.o.Regions {
		if b.Name == bucket {
			return region
		}
	}
	return ""
}

func parse(at string) (o Object, ok bool) {
	rest, ok := strings.CutPrefix(at, scheme)
	rest, o.Version, _ = strings.Cut(rest, ofVersion)
	var both bool
	o.Bucket, o.Key, both = strings.Cut(rest, "/")
	return o, ok && both && o.Bucket != "" && o.Key != ""
}

// place is a bucket of ours, and how to talk to it.
type place struct {
	Bucket
	region, owner string
	client        *s3.Client
}

// owned is the account that must own the bucket; nil: anybody.
func (p *place) owned() *string {
	if p.owner == "" {
		return nil
	}
	return &p.owner
}

// place is the bucket of a Region, or, where it is empty, of the store's own.
func (s *Store) place(ctx context.Context, region string) (*place, error) {
	b, ok := s.bucket(region)
	if !ok {
		return nil, &MissingError{"in question", "Region " + region, "aws.artifacts.regions names no bucket there; add " + region + ": {bucket: …}"}
	}
	config, err := s.o.Accounts.Config(ctx, accounts.Place{Region: cmp.Or(region, s.o.Region), Session: "artifacts", Objects: true})
	if err != nil {
		return nil, err
	}
	p := &place{Bucket: b, region: config.Region, client: s3.NewFromConfig(config, settings)}
	p.owner, err = s.ownedBy(ctx, config)
	return p, err
}

// bucket is the bucket of a Region; false: there is none.
func (s *Store) bucket(region string) (Bucket, bool) {
	if region == "" || region == s.home() {
		return s.o.Bucket, true
	}
	other, ok := s.o.Regions[region]
	if other.KMSKey == "" && !strings.HasPrefix(s.o.KMSKey, "arn:") {
		other.KMSKey = s.o.KMSKey // the same alias, of that Region's key
	}
	return other, ok
}

// home is the Region of the store's own bucket; empty: nobody has said so.
func (s *Store) home() string {
	if s.o.Region != "" {
		return s.o.Region
	}
	config, err := s.o.Accounts.Config(context.Background(), accounts.Place{}) // asks nobody
	if err != nil {
		return ""
	}
	return config.Region
}

// settings are how S3 is called.
func settings(o *s3.Options) {
	o.UsePathStyle = o.BaseEndpoint != nil // an emulator has no name per bucket
	// The digest is proved in one place, by whoever reads: what the SDK finds looks like a broken connection.
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
}

// of is the place of an object: of a bucket of ours, or else as if it were the store's own.
func (s *Store) of(ctx context.Context, o Object) (*place, error) {
	p, err := s.place(ctx, o.Region)
	if err == nil && p.Name != o.Bucket {
		p.Name = o.Bucket
	}
	return p, err
}

// ownedBy is the account that must own the buckets. Without one in the
// configuration it is whose the credentials are; AWS is asked once.
func (s *Store) ownedBy(ctx context.Context, config aws.Config) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != "" {
		return s.owner, nil
	}
	who, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", failure("the account that owns "+s.o.Bucket.Name, err)
	}
	s.owner = aws.ToString(who.Account)
	return s.owner, nil
}

// use notes that an object is in use: its execution will refer to it, and does not yet.
func (s *Store) use(o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	for name, at := range s.used {
		if now.Sub(at) > inUse {
			delete(s.used, name)
		}
	}
	s.used[nameOf(o)] = now
}

// inUse is how long an object stays that was asked for.
const inUse = 24 * time.Hour

func (s *Store) isUsed(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.used[name]
	return ok && s.o.Now().Sub(at) <= inUse
}

// key is where an artifact of a pipeline is put.
func (s *Store) key(pipeline string, a workflows.Artifact) string {
	return s.below(cut(pipeline, 20), cut(a.Name, 10), a.Digest+".zip")
}

func (s *Store) below(parts ...string) string {
	return strings.TrimPrefix(s.o.Prefix+"/"+strings.Join(parts, "/"), "/")
}

func cut(name string, most int) string { return cmp.Or(name[:min(len(name), most)], "-") }

// Output is where a service of a Region is to write an output of an action, whose
// token makes it the action's alone. Where there is no bucket, nothing is named.
func (s *Store) Output(region, pipeline, token, artifact string) Object {
	b, _ := s.bucket(region)
	return Object{Region: region, Bucket: b.Name, Key: s.below(cut(pipeline, 20), token, artifact), KMSKey: b.KMSKey}
}
