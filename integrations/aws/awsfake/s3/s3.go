// Package s3 is S3 of the fake of AWS: buckets of one owner and Region each, with versions, conditions, checksums and
// encryption as far as a deployment tool sees them. Every bucket keeps all in memory.
//
// A bucket is there for its owner alone, unless it is [Bucket.Shared]: the fake knows no bucket policies.
package s3

import (
	"crypto/md5" //nolint:gosec // an ETag, no secret
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Bucket is what a bucket is like.
type Bucket struct {
	Name, Owner, Region string // an account; where it is
	Unversioned         bool
	ACLs                bool // the bucket takes ACLs; by default its owner owns everything, and an ACL is refused
	Shared              bool // other accounts may use it
	Open                bool // it does not block public access
	Policy              string
	Key                 string // of KMS, by which it encrypts by itself; empty: AES256
	Rules               []Rule // of its lifecycle
}

// Rule is a rule of a lifecycle.
type Rule struct {
	ID, Prefix, Tag string // Tag: only objects that have it
	Days            int
	To              string // GLACIER: objects are moved there; empty: they are removed
	Ends            int    // days after which what was moved is removed; 0: never
	Off             bool
}

// Object is a version of an object.
type Object struct {
	Bucket, Key, Version string // Version is "null" in a bucket without versions
	Data                 []byte
	At                   time.Time
	ContentType          string
	CacheControl         string
	ACL                  string
	Encryption, KMSKey   string
	BucketKey            bool
	Metadata             map[string]any
	Deletion             bool // a delete marker
	checked              bool // S3 knows the SHA-256
}

// ETag is what AWS calls the object's content by.
func (o *Object) ETag() string {
	sum := md5.Sum(o.Data) //nolint:gosec // as S3 does
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// Service is S3 of all accounts and Regions.
type Service struct {
	world *api.World

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	Bucket
	objects map[string][]*Object // by key, the newest version last
}

// New is S3 without buckets.
func New(w *api.World) *Service { return &Service{world: w, buckets: map[string]*bucket{}} }

// Create makes a bucket, in place of one of that name.
func (s *Service) Create(b Bucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[b.Name] = &bucket{Bucket: b, objects: map[string][]*Object{}}
}

// Put stores an object, as the owner of the bucket does with PutObject and a SHA-256, and returns its version.
func (s *Service) Put(name, key string, data []byte) (version string) {
	return s.put(name, key, data, true)
}

// PutUnchecked is Put without a SHA-256.
func (s *Service) PutUnchecked(name, key string, data []byte) (version string) {
	return s.put(name, key, data, false)
}

func (s *Service) put(name, key string, data []byte, checked bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &Object{Key: key, Data: slices.Clone(data), ContentType: "binary/octet-stream", Encryption: "AES256", checked: checked}
	s.add(s.must(name), o)
	return o.Version
}

func (s *Service) must(name string) *bucket {
	b := s.buckets[name]
	if b == nil {
		panic("the fake of S3 has no bucket " + name)
	}
	return b
}

// Objects are the newest versions of a bucket's objects, by key. They must not be changed.
func (s *Service) Objects(name string) (all []Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.must(name)
	for _, key := range b.keys("") {
		if o := b.find(key, ""); o != nil {
			all = append(all, *o)
		}
	}
	return all
}

// Flip changes a byte in the middle of the newest version of an object. S3 knows nothing of it: its checksum is that of the new bytes.
func (s *Service) Flip(name, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(name).find(key, "")
	if o == nil {
		panic("the fake of S3 has no object " + key)
	}
	o.Data = slices.Clone(o.Data)
	o.Data[len(o.Data)/2] ^= 1
}

// Delete removes a version of an object for good; empty: all of it.
func (s *Service) Delete(name, key, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.must(name)
	b.objects[key] = slices.DeleteFunc(b.objects[key], func(o *Object) bool { return version == "" || o.Version == version })
}

// Rename gives a version of an object another name, as tests want it that know one beforehand.
func (s *Service) Rename(name, key, version, as string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.must(name).find(key, version); o != nil {
		o.Version = as
	}
}

// add stores a version. s.mu is held.
func (s *Service) add(b *bucket, o *Object) {
	o.Bucket, o.At, o.Version = b.Name, s.world.Now().UTC().Truncate(time.Second), "null"
	if b.Unversioned {
		b.objects[o.Key] = nil
	} else {
		o.Version = strings.ReplaceAll(s.world.NewID(), "-", "")
	}
	b.objects[o.Key] = append(b.objects[o.Key], o)
}

// find is a version of an object; empty: the newest, nil when that is a deletion.
func (b *bucket) find(key, version string) *Object {
	versions := b.objects[key]
	if version == "" && len(versions) > 0 {
		if o := versions[len(versions)-1]; !o.Deletion {
			return o
		}
	}
	for _, o := range versions {
		if version != "" && o.Version == version {
			return o
		}
	}
	return nil
}

// keys are the keys with a prefix, sorted.
func (b *bucket) keys(prefix string) (all []string) {
	for key, versions := range b.objects {
		if len(versions) > 0 && strings.HasPrefix(key, prefix) {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

func refuse(status int, code, format string, args ...any) *api.Error {
	return &api.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// open is the bucket of a call, as far as the caller may see it where it asks. s.mu is held.
func (s *Service) open(q *api.Request, name, owner string) (*bucket, *api.Error) {
	b := s.buckets[name]
	switch {
	case b == nil:
		return nil, refuse(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case owner != "" && owner != b.Owner, !b.Shared && q.Account != b.Owner:
		return nil, refuse(http.StatusForbidden, "AccessDenied", "Access Denied")
	case b.Region != q.Region && q.Operation != "GetBucketLocation":
		bad := refuse(http.StatusMovedPermanently, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.")
		bad.Fields = map[string]any{"Bucket": name, "Endpoint": name + ".s3." + b.Region + ".amazonaws.com"}
		bad.Header = map[string]string{"X-Amz-Bucket-Region": b.Region}
		return nil, bad
	}
	return b, nil
}
