package s3

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

func (s *Service) createBucket(q *api.Request) (any, *api.Error) {
	name, region := q.Input.Text("Bucket"), q.Input.In("CreateBucketConfiguration").Text("LocationConstraint")
	if have := s.buckets[name]; have != nil {
		code := "BucketAlreadyExists"
		if have.Owner == q.Account {
			code = "BucketAlreadyOwnedByYou"
		}
		return nil, api.Refuse(code, "The requested bucket name is not available")
	}
	if region == "" {
		region = "us-east-1"
	}
	if region != q.Region {
		return nil, refuse(http.StatusBadRequest, "IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", region)
	}
	s.buckets[name] = &bucket{Bucket: Bucket{Name: name, Owner: q.Account, Region: region, Unversioned: true}, objects: map[string][]*Object{}}
	return map[string]any{"Location": "/" + name}, nil
}

func (s *Service) headBucket(_ *api.Request, b *bucket) (any, *api.Error) {
	return map[string]any{"BucketRegion": b.Region}, nil
}

func (s *Service) location(_ *api.Request, b *bucket) (any, *api.Error) {
	if b.Region == "us-east-1" {
		return map[string]any{"LocationConstraint": ""}, nil
	}
	return map[string]any{"LocationConstraint": b.Region}, nil
}

func (s *Service) versioning(_ *api.Request, b *bucket) (any, *api.Error) {
	if b.Unversioned {
		return map[string]any{}, nil
	}
	return map[string]any{"Status": "Enabled"}, nil
}

func (s *Service) putVersioning(q *api.Request, b *bucket) (any, *api.Error) {
	b.Unversioned = q.Input.In("VersioningConfiguration").Text("Status") != "Enabled"
	return nil, nil
}

func (s *Service) publicAccess(_ *api.Request, b *bucket) (any, *api.Error) {
	if b.Open {
		return nil, refuse(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
	}
	return map[string]any{"PublicAccessBlockConfiguration": map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}}, nil
}

func (s *Service) policy(_ *api.Request, b *bucket) (any, *api.Error) {
	if b.Policy == "" {
		return nil, refuse(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist")
	}
	return map[string]any{"Policy": b.Policy}, nil
}

func (s *Service) lifecycle(_ *api.Request, b *bucket) (any, *api.Error) {
	if len(b.Rules) == 0 {
		return nil, refuse(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
	}
	rules := []any{}
	for _, r := range b.Rules {
		one := map[string]any{"ID": r.ID, "Status": "Enabled", "Filter": map[string]any{"Prefix": r.Prefix}}
		if r.Tag != "" {
			one["Filter"] = map[string]any{"Tag": map[string]any{"Key": r.Tag, "Value": "yes"}}
		}
		if one["Expiration"] = map[string]any{"Days": r.Days}; r.To != "" {
			delete(one, "Expiration")
			one["Transitions"] = []any{map[string]any{"Days": r.Days, "StorageClass": r.To}}
		}
		if r.Ends > 0 {
			one["Expiration"] = map[string]any{"Days": r.Ends}
		}
		if r.Off {
			one["Status"] = "Disabled"
		}
		rules = append(rules, one)
	}
	return map[string]any{"Rules": rules}, nil
}

func (s *Service) encryption(_ *api.Request, b *bucket) (any, *api.Error) {
	by := map[string]any{"SSEAlgorithm": "AES256"}
	if b.Key != "" {
		by = map[string]any{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": b.Key}
	}
	rule := map[string]any{"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": false}
	return map[string]any{"ServerSideEncryptionConfiguration": map[string]any{"Rules": []any{rule}}}, nil
}

func (s *Service) listObjects(q *api.Request, b *bucket) (any, *api.Error) {
	in := q.Input
	most, after := in.Whole("MaxKeys", 1000), in.Text("StartAfter")
	if in.Has("ContinuationToken") {
		token, err := base64.StdEncoding.DecodeString(in.Text("ContinuationToken"))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
		}
		after = string(token)
	}
	contents, folders := []any{}, []any{}
	out := map[string]any{"Name": b.Name, "Prefix": in.Text("Prefix"), "MaxKeys": most, "IsTruncated": false}
	seen, last := map[string]bool{}, ""
	for _, key := range b.keys(in.Text("Prefix")) {
		o := b.find(key, "")
		if o == nil || key <= after {
			continue
		}
		rest := strings.TrimPrefix(key, in.Text("Prefix"))
		folder, _, inFolder := strings.Cut(rest, in.Text("Delimiter"))
		inFolder = inFolder && in.Text("Delimiter") != ""
		if inFolder && seen[folder] {
			continue
		}
		if len(contents)+len(folders) == most {
			out["IsTruncated"], out["NextContinuationToken"] = true, base64.StdEncoding.EncodeToString([]byte(last))
			break
		}
		if last = key; inFolder {
			seen[folder] = true
			folders = append(folders, map[string]any{"Prefix": in.Text("Prefix") + folder + in.Text("Delimiter")})
			continue
		}
		contents = append(contents, map[string]any{"Key": key, "LastModified": o.At, "ETag": o.ETag(), "Size": len(o.Data), "StorageClass": "STANDARD"})
	}
	out["KeyCount"] = len(contents) + len(folders)
	if len(contents) > 0 {
		out["Contents"] = contents
	}
	if len(folders) > 0 {
		out["CommonPrefixes"] = folders
	}
	return out, nil
}

// listVersions lists all versions at once, however many there are.
func (s *Service) listVersions(q *api.Request, b *bucket) (any, *api.Error) {
	versions, markers := []any{}, []any{}
	for _, key := range b.keys(q.Input.Text("Prefix")) {
		all := b.objects[key]
		for i := len(all) - 1; i >= 0; i-- {
			o := all[i]
			one := map[string]any{"Key": key, "VersionId": o.Version, "IsLatest": i == len(all)-1, "LastModified": o.At}
			if o.Deletion {
				markers = append(markers, one)
				continue
			}
			one["ETag"], one["Size"], one["StorageClass"] = o.ETag(), len(o.Data), "STANDARD"
			versions = append(versions, one)
		}
	}
	out := map[string]any{"Name": b.Name, "Prefix": q.Input.Text("Prefix"), "IsTruncated": false}
	if len(versions) > 0 {
		out["Versions"] = versions
	}
	if len(markers) > 0 {
		out["DeleteMarkers"] = markers
	}
	return out, nil
}
