package artifacts

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// List lists what is kept in all Regions, as "s3://bucket/key", and when each was last
// written. What does not look like an artifact of ours is left out.
func (s *Store) List(ctx context.Context) (all []work.Stored, err error) {
	for _, region := range append([]string{""}, slices.Sorted(maps.Keys(s.o.Regions))...) {
		p, err := s.place(ctx, region)
		if err != nil {
			return nil, err
		}
		in := &s3.ListObjectsV2Input{Bucket: &p.Name, Prefix: aws.String(s.below("")), ExpectedBucketOwner: p.owned()}
		pages := accounts.Pages(func(token *string) (*s3.ListObjectsV2Output, error) {
			in.ContinuationToken = token
			return p.client.ListObjectsV2(ctx, in)
		}, func(out *s3.ListObjectsV2Output) *string { return out.NextContinuationToken })
		for page, err := range pages {
			if err != nil {
				return nil, failure(scheme+p.Name, err)
			}
			for _, o := range page.Contents {
				if name := nameOf(Object{Bucket: p.Name, Key: aws.ToString(o.Key)}); s.looksOurs(aws.ToString(o.Key)) {
					all = append(all, work.Stored{Name: name, At: aws.ToTime(o.LastModified)})
				}
			}
		}
	}
	return all, nil
}

// looksOurs says whether a key has one of the forms that we give.
func (s *Store) looksOurs(key string) bool {
	rest, ok := strings.CutPrefix(key, s.below(""))
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return false
	}
	token, isToken := strings.CutPrefix(parts[1], "rc-")
	digest, isZip := strings.CutSuffix(parts[2], ".zip")
	return isZip && isHex(digest, 64) || isToken && isHex(token, 48)
}

func isHex(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789abcdef") == ""
}

// Remove removes an object with all its versions, unless it was written at that time
// or later, or somebody has asked for it since a day. One that is gone is no error.
func (s *Store) Remove(ctx context.Context, name string, before time.Time) (removed bool, err error) {
	o, err := s.known(name)
	if err != nil || s.isUsed(name) {
		return false, err
	}
	p, err := s.of(ctx, o)
	if err != nil {
		return false, err
	}
	var versions []types.ObjectIdentifier
	in := &s3.ListObjectVersionsInput{Bucket: &o.Bucket, Prefix: &o.Key, ExpectedBucketOwner: p.owned()}
	pages := accounts.Pages(func(*string) (*s3.ListObjectVersionsOutput, error) {
		return p.client.ListObjectVersions(ctx, in)
	}, func(out *s3.ListObjectVersionsOutput) *string {
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
		return out.NextKeyMarker
	})
	for page, err := range pages {
		if err != nil {
			return false, failure(name, err)
		}
		for _, v := range page.Versions {
			if aws.ToString(v.Key) != o.Key {
				continue
			}
			if !aws.ToTime(v.LastModified).Before(before) {
				return false, nil
			}
			versions = append(versions, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, v := range page.DeleteMarkers {
			if aws.ToString(v.Key) == o.Key {
				versions = append(versions, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
			}
		}
	}
	for some := range slices.Chunk(versions, 1000) { // the most that AWS takes
		out, err := p.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &o.Bucket, Delete: &types.Delete{Objects: some, Quiet: aws.Bool(true)}, ExpectedBucketOwner: p.owned()})
		if err != nil {
			return false, failure(name, err)
		}
		if len(out.Errors) > 0 {
			return false, &callError{at: name, why: aws.ToString(out.Errors[0].Code) + ": " + aws.ToString(out.Errors[0].Message)}
		}
	}
	return len(versions) > 0, nil
}

// known is an object that may be removed: in a bucket of ours, in a form of ours.
func (s *Store) known(name string) (Object, error) {
	o, ok := parse(name)
	if !ok || !s.isOurs(o.Bucket) || !s.looksOurs(o.Key) {
		return o, &callError{at: name, why: "that is no artifact of ours"}
	}
	o.Region = s.regionOf(o.Bucket)
	return o, nil
}
