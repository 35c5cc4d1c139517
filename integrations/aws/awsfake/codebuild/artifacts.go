package codebuild

import (
	"archive/zip"
	"bytes"
	"crypto/md5" //nolint:gosec // a sum that CodeBuild states, no secret
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// download reads the sources from S3, and says what is wrong in CodeBuild's words. Sources elsewhere are there.
func (s *Service) download(b *build) string {
	settings := api.Input(b.settings)
	files, version, trouble := s.fetch(settings.Text("serviceRole"), settings.In("source"), settings.Text("sourceVersion"))
	if trouble != "" {
		return trouble + " for primary source and source version " + settings.Text("sourceVersion")
	}
	b.files, b.resolved = files, version
	for _, one := range settings.List("secondarySources") {
		id, version := one.Text("sourceIdentifier"), ""
		for _, v := range settings.List("secondarySourceVersions") {
			if v.Text("sourceIdentifier") == id {
				version = v.Text("sourceVersion")
			}
		}
		if _, _, trouble := s.fetch(settings.Text("serviceRole"), one, version); trouble != "" {
			return trouble + " for secondary source " + id + " and source version " + version
		}
	}
	return ""
}

func (s *Service) fetch(role string, from api.Input, version string) (files map[string]string, resolved, trouble string) {
	if from.Text("type") != "S3" {
		return nil, version, ""
	}
	bucket, key, _ := strings.Cut(from.Text("location"), "/")
	in := api.Input{"Bucket": bucket, "Key": key}
	if version != "" {
		in["VersionId"] = version
	}
	bad := s.looksAt(role, bucket)
	var out any
	if bad == nil {
		out, bad = s.world.CallAs(role, "s3", "GetObject", in, nil)
	}
	if bad != nil {
		return nil, "", bad.Code + ": " + bad.Message + " status code: " + statusOf(bad)
	}
	object, _ := out.(map[string]any) // S3 answers so
	got := api.Input(object)
	if v := got.Text("VersionId"); v != "" {
		version = v
	}
	body, _ := got["Body"].([]byte)
	files, err := unzip(body)
	if err != nil {
		return nil, version, "error while unzipping source: " + err.Error()
	}
	return files, version, ""
}

// looksAt asks whose a bucket is and where.
func (s *Service) looksAt(role, bucket string) *api.Error {
	arn := "arn:aws:s3:::" + bucket
	return s.world.May(role, []api.Right{{Action: "s3:GetBucketAcl", Resource: arn}, {Action: "s3:GetBucketLocation", Resource: arn}})
}

func statusOf(bad *api.Error) string {
	switch {
	case strings.HasPrefix(bad.Code, "NoSuch"):
		return "404"
	case strings.HasPrefix(bad.Code, "AccessDenied"):
		return "403"
	}
	return "400"
}

func unzip(body []byte) (map[string]string, error) {
	r, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		files[f.Name] = string(text)
	}
	return files, nil
}

// zipped is a zip of files, the same bytes for the same files.
func zipped(files map[string]string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o644)
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}
		if err != nil {
			panic(err) // it is written into memory
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// upload writes the artifacts into S3, and says what is wrong in CodeBuild's words.
func (s *Service) upload(b *build) string {
	settings := api.Input(b.settings)
	for _, to := range append([]api.Input{settings.In("artifacts")}, settings.List("secondaryArtifacts")...) {
		if to.Text("type") != "S3" {
			continue
		}
		files := b.output(to.Text("artifactIdentifier"))
		if len(files) == 0 {
			return "no matching artifact paths found"
		}
		done, trouble := s.store(b, to, files)
		if trouble != "" {
			return trouble
		}
		b.artifacts = append(b.artifacts, done)
	}
	return ""
}

// output is what an artifact is made of.
func (b *build) output(identifier string) map[string]string {
	switch {
	case b.script.Files != nil:
		return b.script.Files[identifier]
	case b.files != nil:
		return b.files
	}
	return map[string]string{"build.txt": b.id + "\n"}
}

// store writes an artifact as a zip, or its files one by one.
func (s *Service) store(b *build, to api.Input, files map[string]string) (done map[string]any, trouble string) {
	name, folder := to.Text("name"), ""
	if name == "" || name == "/" {
		name = b.project.Name
	}
	if to.Text("namespaceType") == "BUILD_ID" {
		_, folder, _ = strings.Cut(b.id, ":")
	}
	key := path.Join(to.Text("path"), folder, b.part, name)
	done = map[string]any{"location": "arn:aws:s3:::" + to.Text("location") + "/" + key}
	if id := to.Text("artifactIdentifier"); id != "" {
		done["artifactIdentifier"] = id
	}
	if to.Text("packaging") != "ZIP" {
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if trouble := s.put(b, to, path.Join(key, file), []byte(files[file]), nil); trouble != "" {
				return nil, trouble
			}
		}
		return done, ""
	}
	body := zipped(files)
	sha, sum := sha256.Sum256(body), md5.Sum(body) //nolint:gosec // see above
	done["sha256sum"], done["md5sum"] = hex.EncodeToString(sha[:]), hex.EncodeToString(sum[:])
	return done, s.put(b, to, key, body, map[string]any{
		"codebuild-buildarn": s.arn("build/" + b.id), "codebuild-content-sha256": done["sha256sum"], "codebuild-content-md5": done["md5sum"],
	})
}

func (s *Service) put(b *build, to api.Input, key string, body []byte, metadata map[string]any) string {
	in := api.Input{"Bucket": to.Text("location"), "Key": key}
	if metadata != nil {
		in["Metadata"] = metadata
	}
	if id := api.Input(b.settings).Text("encryptionKey"); id != "" && !to.Bool("encryptionDisabled") {
		in["ServerSideEncryption"], in["SSEKMSKeyId"] = "aws:kms", id
	}
	role := api.Input(b.settings).Text("serviceRole")
	bad := s.looksAt(role, to.Text("location"))
	if bad == nil {
		_, bad = s.world.CallAs(role, "s3", "PutObject", in, body)
	}
	if bad != nil {
		return "Error uploading artifacts: " + bad.Code + ": " + bad.Message + " status code: " + statusOf(bad)
	}
	return ""
}
