package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Do carries out an operation.
func (s *Service) Do(_ context.Context, q *api.Request) (any, *api.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.Operation == "CreateBucket" {
		return s.createBucket(q)
	}
	do := map[string]func(q *api.Request, b *bucket) (any, *api.Error){
		"PutObject": s.putObject, "CopyObject": s.copyObject, "GetObject": s.getObject, "HeadObject": s.getObject, "DeleteObject": s.deleteObject,
		"DeleteObjects": s.deleteObjects, "ListObjectsV2": s.listObjects, "ListObjectVersions": s.listVersions, "HeadBucket": s.headBucket,
		"GetBucketLocation": s.location, "GetBucketVersioning": s.versioning, "PutBucketVersioning": s.putVersioning, "GetBucketEncryption": s.encryption,
		"GetPublicAccessBlock": s.publicAccess, "GetBucketLifecycleConfiguration": s.lifecycle, "GetBucketPolicy": s.policy,
	}[q.Operation]
	if do == nil {
		return nil, refuse(http.StatusNotImplemented, "NotImplemented", "The fake of S3 has no %s", q.Operation)
	}
	b, bad := s.open(q, q.Input.Text("Bucket"), q.Input.Text("ExpectedBucketOwner"))
	if bad != nil {
		return nil, bad
	}
	return do(q, b)
}

func (s *Service) putObject(q *api.Request, b *bucket) (any, *api.Error) {
	if bad := precondition(q.Input, b); bad != nil {
		return nil, bad
	}
	o := &Object{Data: slices.Clone(q.Body), checked: q.Input.Has("ChecksumSHA256") || q.Input.Text("ChecksumAlgorithm") == "SHA256"}
	if bad := described(q.Input, b, o); bad != nil {
		return nil, bad
	}
	s.add(b, o)
	return o.written(b), nil
}

// precondition are the conditions of a write.
func precondition(in api.Input, b *bucket) *api.Error {
	have := b.find(in.Text("Key"), "")
	if in.Text("IfNoneMatch") == "*" && have != nil || in.Has("IfMatch") && (have == nil || have.ETag() != in.Text("IfMatch")) {
		return refuse(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	return nil
}

// described takes over what a write says of an object beside its bytes.
func described(in api.Input, b *bucket, o *Object) *api.Error {
	acl := in.Text("ACL")
	if acl != "" && acl != "private" && acl != "bucket-owner-full-control" && !b.ACLs {
		return refuse(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	}
	o.Key, o.ACL, o.CacheControl, o.ContentType = in.Text("Key"), acl, in.Text("CacheControl"), in.Text("ContentType")
	o.Encryption, o.KMSKey, o.BucketKey, o.Metadata = in.Text("ServerSideEncryption"), in.Text("SSEKMSKeyId"), in.Bool("BucketKeyEnabled"), in.In("Metadata")
	if o.ContentType == "" {
		o.ContentType = "binary/octet-stream"
	}
	if o.Encryption == "" {
		o.Encryption = "AES256"
	}
	return nil
}

// written is what S3 answers to a write.
func (o *Object) written(b *bucket) map[string]any {
	out := map[string]any{"ETag": o.ETag()}
	o.describe(b, out)
	if o.checked {
		out["ChecksumSHA256"], out["ChecksumType"] = o.sum(), "FULL_OBJECT"
	}
	return out
}

func (o *Object) sum() string {
	sum := sha256.Sum256(o.Data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// describe adds version and encryption.
func (o *Object) describe(b *bucket, out map[string]any) {
	if !b.Unversioned {
		out["VersionId"] = o.Version
	}
	out["ServerSideEncryption"] = o.Encryption
	if o.KMSKey != "" {
		out["SSEKMSKeyId"], out["BucketKeyEnabled"] = o.KMSKey, o.BucketKey
	}
}

// lookUp finds the object of a call that reads.
func lookUp(in api.Input, b *bucket, key, version string) (*Object, *api.Error) {
	o := b.find(key, version)
	switch {
	case o == nil && version != "":
		return nil, refuse(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	case o == nil:
		return nil, refuse(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case o.Deletion:
		return nil, refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	case in.Has("IfMatch") && in.Text("IfMatch") != o.ETag():
		return nil, refuse(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	case in.Has("IfNoneMatch") && in.Text("IfNoneMatch") == o.ETag():
		return nil, refuse(http.StatusNotModified, "NotModified", "Not Modified")
	}
	return o, nil
}

func (s *Service) getObject(q *api.Request, b *bucket) (any, *api.Error) {
	in := q.Input
	o, bad := lookUp(in, b, in.Text("Key"), in.Text("VersionId"))
	if bad != nil {
		return nil, bad
	}
	out := map[string]any{"ETag": o.ETag(), "LastModified": o.At, "ContentType": o.ContentType, "AcceptRanges": "bytes", "ContentLength": len(o.Data)}
	o.describe(b, out)
	if o.CacheControl != "" {
		out["CacheControl"] = o.CacheControl
	}
	if len(o.Metadata) > 0 {
		out["Metadata"] = o.Metadata
	}
	if o.checked && in.Text("ChecksumMode") == "ENABLED" && !in.Has("Range") {
		out["ChecksumSHA256"], out["ChecksumType"] = o.sum(), "FULL_OBJECT"
	}
	if q.Operation == "HeadObject" {
		return out, nil
	}
	data := o.Data
	if in.Has("Range") {
		from, to, ok := ranged(in.Text("Range"), len(data))
		if !ok {
			return nil, refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
		}
		out["ContentRange"] = "bytes " + strconv.Itoa(from) + "-" + strconv.Itoa(to-1) + "/" + strconv.Itoa(len(data))
		data = data[from:to]
		out["ContentLength"] = len(data)
	}
	out["Body"] = data
	return out, nil
}

// ranged reads "bytes=0-99", "bytes=100-" and "bytes=-100".
func ranged(text string, size int) (from, to int, ok bool) {
	first, last, found := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	a, errFirst := strconv.Atoi(first)
	z, errLast := strconv.Atoi(last)
	switch {
	case !found:
		return 0, 0, false
	case first == "" && errLast == nil:
		return max(size-z, 0), size, size > 0
	case last == "" && errFirst == nil:
		return a, size, a < size
	}
	return a, min(z+1, size), errFirst == nil && errLast == nil && a < size && a <= z
}

func (s *Service) copyObject(q *api.Request, to *bucket) (any, *api.Error) {
	in := q.Input
	from, version, _ := strings.Cut(strings.TrimPrefix(in.Text("CopySource"), "/"), "?versionId=")
	name, key, _ := strings.Cut(from, "/")
	key, errKey := url.PathUnescape(key)
	version, errVersion := url.QueryUnescape(version)
	if errKey != nil || errVersion != nil || key == "" {
		return nil, refuse(http.StatusBadRequest, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	b := s.buckets[name]
	switch {
	case b == nil:
		return nil, refuse(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case in.Has("ExpectedSourceBucketOwner") && in.Text("ExpectedSourceBucketOwner") != b.Owner, !b.Shared && q.Account != b.Owner:
		return nil, refuse(http.StatusForbidden, "AccessDenied", "Access Denied")
	}
	source, bad := lookUp(nil, b, key, version)
	if bad == nil {
		bad = precondition(in, to)
	}
	if bad != nil {
		return nil, bad
	}
	o := &Object{Data: source.Data, checked: source.checked || in.Text("ChecksumAlgorithm") == "SHA256"}
	if bad := described(in, to, o); bad != nil {
		return nil, bad
	}
	if in.Text("MetadataDirective") != "REPLACE" {
		o.ContentType, o.CacheControl, o.Metadata = source.ContentType, source.CacheControl, source.Metadata
	}
	s.add(to, o)
	result := map[string]any{"ETag": o.ETag(), "LastModified": o.At}
	if o.checked {
		result["ChecksumSHA256"], result["ChecksumType"] = o.sum(), "FULL_OBJECT"
	}
	out := map[string]any{"CopyObjectResult": result}
	o.describe(to, out)
	if !b.Unversioned {
		out["CopySourceVersionId"] = source.Version
	}
	return out, nil
}

func (s *Service) deleteObject(q *api.Request, b *bucket) (any, *api.Error) {
	return s.remove(b, q.Input.Text("Key"), q.Input.Text("VersionId")), nil
}

// remove removes a version, or hides the newest one behind a delete marker.
func (s *Service) remove(b *bucket, key, version string) map[string]any {
	out := map[string]any{}
	switch {
	case version != "":
		out["VersionId"] = version
		b.objects[key] = slices.DeleteFunc(b.objects[key], func(o *Object) bool { return o.Version == version })
	case b.Unversioned:
		delete(b.objects, key)
	default:
		o := &Object{Key: key, Deletion: true}
		s.add(b, o)
		out["DeleteMarker"], out["VersionId"] = true, o.Version
	}
	return out
}

func (s *Service) deleteObjects(q *api.Request, b *bucket) (any, *api.Error) {
	list := q.Input.In("Delete").List("Objects")
	if len(list) == 0 || len(list) > 1000 {
		return nil, refuse(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	deleted := []any{}
	for _, one := range list {
		out := s.remove(b, one.Text("Key"), one.Text("VersionId"))
		gone := map[string]any{"Key": one.Text("Key")}
		if one.Has("VersionId") {
			gone["VersionId"] = one.Text("VersionId")
		}
		if out["DeleteMarker"] == true {
			gone["DeleteMarker"], gone["DeleteMarkerVersionId"] = true, out["VersionId"]
		}
		deleted = append(deleted, gone)
	}
	if q.Input.In("Delete").Bool("Quiet") {
		return map[string]any{}, nil
	}
	return map[string]any{"Deleted": deleted}, nil
}
