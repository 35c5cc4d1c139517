package artifacts

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rollcall-bot/rollcall/workflows"
)

// largest is how many bytes one PutObject and one CopyObject take.
const largest = 5 << 30

// Put stores the bytes of an artifact of a pipeline, unless they are there. What is
// there under their name and is something else is replaced.
func (s *Store) Put(ctx context.Context, pipeline string, a workflows.Artifact, r io.ReadSeeker) (string, error) {
	p, err := s.place(ctx, "")
	if err != nil {
		return "", err
	}
	o := Object{Region: p.region, Bucket: p.Name, Key: s.key(pipeline, a)}
	sum, err := base64Of(a.Digest)
	if err != nil {
		return "", err
	}
	if a.Size > largest {
		return "", &callError{at: nameOf(o), why: fmt.Sprintf("it has %d bytes, and S3 takes %d at once; name the files that are needed", a.Size, int64(largest))}
	}
	s.use(o)
	in := &s3.PutObjectInput{
		Bucket: &o.Bucket, Key: &o.Key, Body: r, ContentLength: &a.Size, ContentType: aws.String("application/zip"),
		ChecksumSHA256: &sum, IfNoneMatch: aws.String("*"), ExpectedBucketOwner: p.owned(),
	}
	in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = p.encryption()
	out, err := p.client.PutObject(ctx, in)
	if code(err) == "PreconditionFailed" {
		at, _, err := s.Stat(ctx, pipeline, a)
		if !errors.Is(err, fs.ErrNotExist) {
			return at, err
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		in.IfNoneMatch = nil
		out, err = p.client.PutObject(ctx, in)
		if err != nil {
			return "", failure(o.At(), err)
		}
	} else if err != nil {
		return "", failure(o.At(), err)
	}
	o.Version = aws.ToString(out.VersionId)
	return o.At(), nil
}

// encryption is what a bucket's objects are encrypted with.
func (p *place) encryption() (types.ServerSideEncryption, *string, *bool) {
	if p.KMSKey == "" {
		return "", nil, nil
	}
	return types.ServerSideEncryptionAwsKms, aws.String(p.KMSKey), aws.Bool(true)
}

func base64Of(digest string) (string, error) {
	raw, err := hex.DecodeString(digest)
	if err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%q is no SHA-256 digest", digest)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// Stat says where an artifact of a pipeline is that was put, whether or not its At is
// known. Something else under its name counts as nothing.
func (s *Store) Stat(ctx context.Context, pipeline string, a workflows.Artifact) (string, int64, error) {
	p, err := s.place(ctx, "")
	if err != nil {
		return "", 0, err
	}
	o := Object{Region: p.region, Bucket: p.Name, Key: s.key(pipeline, a), Digest: a.Digest, Size: a.Size}
	have, err := p.look(ctx, o)
	if err != nil {
		return "", 0, err
	}
	if why := have.differs(o); why != "" {
		return "", 0, fmt.Errorf("%s: %s: %w", have.At(), why, fs.ErrNotExist)
	}
	s.use(o)
	return have.At(), have.Size, nil
}

// Get opens an artifact. Whoever reads it proves that it is what it should be.
func (s *Store) Get(ctx context.Context, a workflows.Artifact) (io.ReadCloser, error) {
	o, err := s.Object(a)
	if err != nil {
		return nil, err
	}
	p, err := s.of(ctx, o)
	if err != nil {
		return nil, err
	}
	from, err := p.open(ctx, o)
	return from, missing(a.Name, err)
}

func (p *place) open(ctx context.Context, o Object) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key, ExpectedBucketOwner: p.owned()}
	if o.Version != "" {
		in.VersionId = &o.Version
	}
	out, err := p.client.GetObject(ctx, in)
	if err != nil {
		return nil, failure(o.At(), err)
	}
	return out.Body, nil
}

// seen is what S3 says of an object.
type seen struct {
	Object
	sum string // base64 SHA-256 of the whole; empty: S3 does not know it
}

// digest is the sum in hex; empty: S3 does not know it.
func (h seen) digest() string {
	raw, err := base64.StdEncoding.DecodeString(h.sum)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(raw)
}

// look asks S3 for an object of that version, or the newest.
func (p *place) look(ctx context.Context, o Object) (seen, error) {
	in := &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key, ChecksumMode: types.ChecksumModeEnabled, ExpectedBucketOwner: p.owned()}
	if o.Version != "" {
		in.VersionId = &o.Version
	}
	out, err := p.client.HeadObject(ctx, in)
	if err != nil {
		return seen{}, failure(o.At(), WhyDenied(ctx, p.client, in, err))
	}
	have := seen{Object: Object{Region: p.region, Bucket: o.Bucket, Key: o.Key, Version: aws.ToString(out.VersionId), Size: aws.ToInt64(out.ContentLength)}}
	if out.ChecksumType != types.ChecksumTypeComposite {
		have.sum = aws.ToString(out.ChecksumSHA256)
	}
	return have, nil
}

// differs says in what an object is not what it should be, as far as S3 knows; empty: in nothing.
func (h seen) differs(o Object) string {
	want, err := base64Of(o.Digest)
	switch {
	case o.Size > 0 && h.Size != o.Size:
		return fmt.Sprintf("it is damaged: it has %d bytes, and should have %d; run the action that made it again", h.Size, o.Size)
	case err == nil && h.sum != "" && h.sum != want:
		return "it is damaged: its checksum is not that of digest " + o.Digest + "; run the action that made it again"
	}
	return ""
}

// Write stores a small file where a service reads it, such as a template too long
// for a request. It is in use for as long as an output that nobody adopted.
func (s *Store) Write(ctx context.Context, o Object, data []byte) (Object, error) {
	p, err := s.place(ctx, o.Region)
	if err != nil {
		return Object{}, err
	}
	o.Region, o.Bucket, o.Size = p.region, p.Name, int64(len(data))
	s.use(o)
	in := &s3.PutObjectInput{Bucket: &o.Bucket, Key: &o.Key, Body: bytes.NewReader(data), ContentLength: &o.Size, ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ExpectedBucketOwner: &p.owner}
	in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = p.encryption()
	out, err := p.client.PutObject(ctx, in)
	if err != nil {
		return Object{}, failure(o.At(), err)
	}
	o.Version = aws.ToString(out.VersionId)
	return o, nil
}
