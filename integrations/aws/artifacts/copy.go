package artifacts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rollcall-bot/rollcall/workflows"
)

// In is an artifact as an action of a Region reads it: there, of the size and, where
// S3 knows it, of the checksum that it should have. One of another Region is copied
// under its key first.
func (s *Store) In(ctx context.Context, region string, a workflows.Artifact) (Object, error) {
	o, err := s.Object(a)
	if err != nil {
		return Object{}, err
	}
	to, err := s.place(ctx, region)
	if err != nil {
		return Object{}, named(a.Name, err)
	}
	if to.Name == o.Bucket {
		return s.proved(ctx, to, a.Name, o)
	}
	there := Object{Region: to.region, Bucket: to.Name, Key: o.Key, Digest: o.Digest, Size: o.Size}
	got, err := s.proved(ctx, to, a.Name, there)
	if isMissing := new(MissingError); err == nil || !errors.As(err, &isMissing) {
		return got, err
	}
	got, err = s.copy(ctx, to, o, there)
	return got, missing(a.Name, err)
}

// named says which artifact it is that is missing.
func named(artifact string, err error) error {
	var known *MissingError
	if errors.As(err, &known) {
		return &MissingError{artifact, known.At, known.Why}
	}
	return err
}

// proved is an object that is there and what it should be.
func (s *Store) proved(ctx context.Context, p *place, artifact string, o Object) (Object, error) {
	s.use(o)
	have, err := p.look(ctx, o)
	if err != nil {
		return Object{}, missing(artifact, err)
	}
	if why := have.differs(o); why != "" {
		return Object{}, damaged(artifact, have.At(), why)
	}
	have.Digest = o.Digest
	return have.Object, nil
}

// copy copies within S3, to a bucket of ours.
func (s *Store) copy(ctx context.Context, to *place, from, there Object) (Object, error) {
	source := url.PathEscape(from.Bucket) + "/" + strings.NewReplacer("%2F", "/", "+", "%2B").Replace(url.PathEscape(from.Key)) // a plus would be a space
	if from.Version != "" {
		source += ofVersion + url.QueryEscape(from.Version)
	}
	in := &s3.CopyObjectInput{
		Bucket: &there.Bucket, Key: &there.Key, CopySource: &source, ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ExpectedBucketOwner: to.owned(),
	}
	if s.isOurs(from.Bucket) {
		in.ExpectedSourceBucketOwner = to.owned()
	}
	in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = to.encryption()
	s.use(there)
	out, err := to.client.CopyObject(ctx, in)
	if err != nil {
		return Object{}, failure(from.At(), err)
	}
	there.Version = aws.ToString(out.VersionId)
	have := seen{Object: there}
	if r := out.CopyObjectResult; r != nil && r.ChecksumType != types.ChecksumTypeComposite {
		have.sum = aws.ToString(r.ChecksumSHA256)
	}
	if why := have.differs(there); why != "" {
		return Object{}, &callError{at: from.At(), why: why, cause: errDamaged}
	}
	return there, nil
}

func (s *Store) isOurs(bucket string) bool {
	for _, b := range s.o.Regions {
		if b.Name == bucket {
			return true
		}
	}
	return bucket == s.o.Bucket.Name
}

// Adopt makes an artifact of an object that AWS wrote, as it is now or of its
// version. digest is the hex SHA-256 that who wrote it says; empty: S3 says it, or
// the object is read once.
func (s *Store) Adopt(ctx context.Context, name string, o Object, digest string) (workflows.Artifact, error) {
	o.Region = s.regionOf(o.Bucket)
	p, err := s.of(ctx, o)
	if err != nil {
		return workflows.Artifact{}, err
	}
	s.use(o)
	have, err := p.look(ctx, o)
	if err != nil {
		return workflows.Artifact{}, missing(name, err)
	}
	if digest = cmp.Or(digest, have.digest()); digest == "" {
		if digest, err = p.sum(ctx, have.Object); err != nil {
			return workflows.Artifact{}, missing(name, err)
		}
	}
	digest = strings.ToLower(digest)
	if _, err := base64Of(digest); err != nil {
		return workflows.Artifact{}, damaged(name, have.At(), err.Error())
	}
	return workflows.Artifact{Name: name, Digest: digest, Size: have.Size, At: have.At()}, nil
}

func (p *place) sum(ctx context.Context, o Object) (string, error) {
	from, err := p.open(ctx, o)
	if err != nil {
		return "", err
	}
	defer from.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, from); err != nil {
		return "", &callError{o.At(), "it cannot be read to its end", err, true}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
