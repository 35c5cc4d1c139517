package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"mime"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	uploadsAtOnce = 16               // files under way
	uploadBatch   = 64               // files between two notes of how far it is
	uploadFor     = 30 * time.Second // of uploading in one call of the runner
	noteFile      = "s3-deploy.json" // in the run folder
	filesFold     = "s3-deploy"
)

// filesDone is how far the files are, in the run folder. Without it, as after a move to
// another machine, all are put again.
type filesDone struct {
	Done int `json:"done"`
}

// putFiles puts the files of the artifact, pages last: what they name is there by
// then. It comes back after a while, and goes on when it is asked again.
func putFiles(ctx context.Context, a *runner.Attempt) (work.Outcome, error) {
	names, root, err := laidOut(a)
	if err != nil {
		return work.Outcome{}, err
	}
	defer root.Close()
	client, err := s3Client(ctx, a)
	if err != nil {
		return work.Outcome{}, err
	}
	note := filepath.Join(a.Dir(), noteFile)
	at, until := readFilesDone(note), a.Now().Add(uploadFor)
	for at.Done < len(names) {
		some := names[at.Done:min(at.Done+uploadBatch, len(names))]
		if err := putAll(ctx, a, client, root, some); err != nil {
			return work.Outcome{}, err
		}
		at.Done += len(some)
		if err := at.write(note); err != nil {
			return work.Outcome{}, err
		}
		if err := a.Logf("%d of %d files are in s3://%s", at.Done, len(names), a.Setting("BucketName")); err != nil {
			return work.Outcome{}, err
		}
		if at.Done < len(names) && !a.Now().Before(until) {
			o := filesRunning(a, uploading)
			o.PollAfter = time.Second
			return o, nil
		}
	}
	return afterFiles(ctx, a, len(names))
}

// laidOut are the files of the artifact in the order in which they are put, and the
// folder that they lie in.
func laidOut(a *runner.Attempt) (names []string, root *os.Root, err error) {
	name, err := onlyInput(a)
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(a.Dir(), filesFold)
	if _, err := os.Stat(filepath.Join(a.Dir(), noteFile)); errors.Is(err, fs.ErrNotExist) {
		if err := a.Unpack(name, dir); err != nil {
			return nil, nil, err
		}
		if err := (filesDone{}).write(filepath.Join(a.Dir(), noteFile)); err != nil {
			return nil, nil, err
		}
	}
	if root, err = os.OpenRoot(dir); err != nil {
		return nil, nil, err
	}
	err = fs.WalkDir(root.FS(), ".", func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := root.Stat(p); err == nil && info.Mode().IsRegular() { // also what a link leads to, inside
			names = append(names, p)
		}
		return nil
	})
	slices.SortStableFunc(names, func(a, b string) int { return pageLast(a) - pageLast(b) })
	if err == nil && len(names) == 0 {
		err = &runner.SettingsError{Text: "the artifact " + name + " has no files"}
	}
	if err != nil {
		_ = root.Close()
		return nil, nil, err
	}
	return names, root, nil
}

// pageLast orders what names other files behind these.
func pageLast(name string) int {
	switch path.Ext(name) {
	case ".html", ".htm":
		return 1
	}
	return 0
}

// putAll puts files at once, and pages when the others are there.
func putAll(ctx context.Context, a *runner.Attempt, client *s3.Client, root *os.Root, names []string) error {
	pages := slices.IndexFunc(names, func(name string) bool { return pageLast(name) > 0 })
	if pages < 0 {
		pages = len(names)
	}
	for _, some := range [][]string{names[:pages], names[pages:]} {
		g, within := errgroup.WithContext(ctx)
		g.SetLimit(uploadsAtOnce)
		for _, name := range some {
			g.Go(func() error { return putFile(within, a, client, root, name) })
		}
		if err := g.Wait(); err != nil {
			return refusedFile(a, err)
		}
	}
	return nil
}

// refusedFile says what to change where S3's words do not.
func refusedFile(a *runner.Attempt, err error) error {
	switch runner.Code(err) {
	case "AccessControlListNotSupported":
		return &runner.SettingsError{Text: "the bucket " + a.Setting("BucketName") + " takes no ACLs: remove CannedACL, and let a bucket policy say who may read"}
	case "PermanentRedirect":
		return &runner.SettingsError{Text: "the bucket " + a.Setting("BucketName") + " is not in " + a.Config.Region + ": set the action's region"}
	}
	return err
}

func putFile(ctx context.Context, a *runner.Attempt, client *s3.Client, root *os.Root, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	in := &s3.PutObjectInput{Bucket: aws.String(a.Setting("BucketName")), Key: aws.String(path.Join(objectKey(a), name)), Body: file, ContentLength: aws.Int64(info.Size()),
		ContentType: aws.String(contentType(name)), ACL: types.ObjectCannedACL(a.Setting("CannedACL")), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
	if cache := a.Setting("CacheControl"); cache != "" {
		in.CacheControl = &cache
	}
	if key := a.Setting("KMSEncryptionKeyARN"); key != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &key
	}
	_, err = client.PutObject(ctx, in)
	return err
}

// contentType is what browsers are told that a file is.
func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if known := map[string]string{".zip": "application/zip", ".ico": "image/x-icon", ".woff": "font/woff", ".woff2": "font/woff2", ".map": "application/json", ".txt": "text/plain; charset=utf-8",
		".webmanifest": "application/manifest+json", ".mp4": "video/mp4"}[ext]; known != "" {
		return known // whatever the machine thinks
	}
	if known := mime.TypeByExtension(ext); known != "" {
		return known
	}
	return "application/octet-stream"
}

func readFilesDone(path string) (at filesDone) {
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &at) != nil {
		return filesDone{}
	}
	return at
}

func (p filesDone) write(path string) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
