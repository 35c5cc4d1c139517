package s3

import (
	"net/url"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// Rights are what a call needs, as S3 has them: on buckets and objects, and on the
// keys of KMS that objects are encrypted with.
func (s *Service) Rights(q *api.Request) (all []api.Right) {
	bucket, key := q.Input.Text("Bucket"), q.Input.Text("Key")
	on := func(action, resource string) {
		all = append(all, api.Right{Action: action, Resource: "arn:aws:s3:::" + resource})
	}
	switch q.Operation {
	case "GetObject", "HeadObject":
		version := q.Input.Text("VersionId")
		on("s3:GetObject"+ofVersion(version), bucket+"/"+key)
		if s.isAbsent(bucket, key) { // only who may list is told so
			on("s3:ListBucket", bucket)
		}
		if q.Operation == "GetObject" || q.Input.Text("ChecksumMode") == "ENABLED" {
			all = append(all, s.decrypts(q, bucket, key, version)...)
		}
	case "PutObject", "CopyObject":
		on("s3:PutObject", bucket+"/"+key)
		if q.Input.Text("ACL") != "" {
			on("s3:PutObjectAcl", bucket+"/"+key)
		}
		if from, key, version := source(q.Input); from != "" {
			on("s3:GetObject"+ofVersion(version), from+"/"+key)
			all = append(all, s.decrypts(q, from, key, version)...)
		}
		if q.Input.Text("ServerSideEncryption") == "aws:kms" {
			all = append(all, usesKey(q, "kms:GenerateDataKey", q.Input.Text("SSEKMSKeyId")))
		}
	case "DeleteObject":
		on("s3:DeleteObject"+ofVersion(q.Input.Text("VersionId")), bucket+"/"+key)
	case "DeleteObjects":
		for _, one := range q.Input.In("Delete").List("Objects") {
			on("s3:DeleteObject"+ofVersion(one.Text("VersionId")), bucket+"/"+one.Text("Key"))
		}
	case "ListObjectsV2", "HeadBucket":
		on("s3:ListBucket", bucket)
	case "ListObjectVersions":
		on("s3:ListBucketVersions", bucket)
	case "GetBucketEncryption":
		on("s3:GetEncryptionConfiguration", bucket)
	case "GetPublicAccessBlock":
		on("s3:GetBucketPublicAccessBlock", bucket)
	case "GetBucketLifecycleConfiguration":
		on("s3:GetLifecycleConfiguration", bucket)
	default:
		on("s3:"+q.Operation, bucket)
	}
	return all
}

// isAbsent says whether a bucket has no object of that key.
func (s *Service) isAbsent(name, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	return b != nil && len(b.objects[key]) == 0
}

func ofVersion(version string) string {
	if version == "" {
		return ""
	}
	return "Version"
}

// source is what a copy reads.
func source(in api.Input) (bucket, key, version string) {
	path, query, _ := strings.Cut(strings.TrimPrefix(in.Text("CopySource"), "/"), "?")
	bucket, key, _ = strings.Cut(path, "/")
	if plain, err := url.PathUnescape(key); err == nil {
		key = plain
	}
	return bucket, key, strings.TrimPrefix(query, "versionId=")
}

// decrypts is the right to read an object that is encrypted with a key of KMS.
func (s *Service) decrypts(q *api.Request, name, key, version string) []api.Right {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		return nil
	}
	if o := b.find(key, version); o != nil && o.Encryption == "aws:kms" {
		return []api.Right{usesKey(q, "kms:Decrypt", o.KMSKey)}
	}
	return nil
}

// usesKey is a right on a key by its ARN, its ID or an alias, which policies know as a property of the key.
func usesKey(q *api.Request, action, id string) api.Right {
	r := api.Right{Action: action, Resource: id, Context: map[string]string{"kms:ViaService": "s3." + q.Region + ".amazonaws.com"}}
	if !strings.HasPrefix(id, "arn:") {
		r.Resource = "arn:aws:kms:" + q.Region + ":" + q.Account + ":" + id
		if !strings.HasPrefix(id, "alias/") {
			r.Resource = "arn:aws:kms:" + q.Region + ":" + q.Account + ":key/" + id
		}
	}
	if at, alias, ok := strings.Cut(r.Resource, ":alias/"); ok {
		r.Resource, r.Context["kms:ResourceAliases"] = at+":key/of-"+alias, "alias/"+alias
	}
	return r
}
