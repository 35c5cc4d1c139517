package artifacts_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/store/files"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	account  = "111122223333"
	stranger = "999988887777"
	home     = "eu-west-1"
	abroad   = "us-east-1"
	bucket   = "acme-art"
	other    = "acme-art-us"
	reader   = "arn:aws:iam::999988887777:role/reader"
	token    = "rc-0123456789abcdef0123456789abcdef0123456789abcdef"
)

// world is an AWS with a bucket in each of two Regions, in the time of a bubble.
type world struct {
	*testing.T
	aws *awsfake.Server
	s3  *s3.Service
}

func in(t *testing.T, test func(w *world)) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, aws: awsfake.New(awsfake.Options{Now: time.Now})}
		w.s3 = awsfake.At[*s3.Service](w.aws, account, home)
		w.s3.Create(s3.Bucket{Name: bucket, Owner: account, Region: home})
		w.s3.Create(s3.Bucket{Name: other, Owner: account, Region: abroad})
		test(w)
	})
}

func options() artifacts.Options {
	return artifacts.Options{Bucket: artifacts.Bucket{Name: bucket, KMSKey: "alias/art"}, Prefix: "rollcall", Region: home, Regions: map[string]artifacts.Bucket{abroad: {Name: other}}}
}

func (w *world) store(change ...func(o *artifacts.Options)) *artifacts.Store {
	o := options()
	for _, c := range change {
		c(&o)
	}
	o.Accounts = accounts.Open(accounts.Options{Region: home, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.aws) }})
	return artifacts.Open(o)
}

// shelf is a data folder with the workspace of one task.
type shelf struct {
	work.Workspace
	*files.Files
	dir string
}

func (w *world) shelf(store files.Artifacts) *shelf {
	w.Helper()
	dir := w.TempDir()
	f, err := files.Open(dir, files.Options{Artifacts: store})
	if err != nil {
		w.Fatal(err)
	}
	of, err := f.Workspace(work.Task{ID: "t1", Pipeline: "webshop-of-the-whole-company", Execution: "0195a000-0001-7000-8000-00000000beef", Stage: "Build", Action: workflows.Action{Name: "Test"}, Attempt: 1})
	if err != nil {
		w.Fatal(err)
	}
	return &shelf{of, f, dir}
}

func (w *world) pack(s *shelf, content string) workflows.Artifact {
	w.Helper()
	dir := w.TempDir()
	w.must(os.MkdirAll(filepath.Join(dir, "dist"), 0o755), os.WriteFile(filepath.Join(dir, "run"), []byte("#!/bin/sh\n"), 0o755),
		os.WriteFile(filepath.Join(dir, "dist", "app.js"), []byte(content), 0o600), os.Chmod(filepath.Join(dir, "dist", "app.js"), 0o640), os.Symlink("dist/app.js", filepath.Join(dir, "current")))
	a, err := s.Pack("compiled-app", dir, nil)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) must(errs ...error) {
	w.Helper()
	if err := errors.Join(errs...); err != nil {
		w.Fatal(err)
	}
}

// calls are the operations of S3 so far, and forgets what came before the last call.
func (w *world) calls(from int) (all []string) {
	for _, c := range w.aws.Calls()[from:] {
		if c.Service == "s3" {
			all = append(all, c.Operation)
		}
	}
	return all
}

// lines are what lies in a folder: mode, path, content or target.
func (w *world) lines(dir string) (all []string) {
	w.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		info, _ := d.Info()
		switch {
		case err != nil || path == dir:
		case d.Type() == fs.ModeSymlink:
			target, _ := os.Readlink(path)
			all = append(all, name+" -> "+target)
		case d.IsDir():
			all = append(all, fmt.Sprintf("%o %s/", info.Mode().Perm(), name))
		default:
			content, _ := os.ReadFile(path)
			all = append(all, fmt.Sprintf("%o %s %s", info.Mode().Perm(), name, content))
		}
		return err
	}))
	return all
}

// keeper is a way to keep artifacts, and how to harm what it keeps.
type keeper struct {
	open func() *shelf // a data folder that knows nothing yet, where that is possible
	flip func(a workflows.Artifact)
	drop func(a workflows.Artifact)
	says func(a workflows.Artifact) string // what an error must name
}

// keepers are the two ways; both must do the same.
func (w *world) keepers() map[string]keeper {
	folder := w.shelf(nil)
	path := func(a workflows.Artifact) string { return filepath.Join(folder.dir, "artifacts", a.Digest+".tar.gz") }
	key := func(a workflows.Artifact) string { return strings.TrimPrefix(a.Place(), "s3://"+bucket+"/") }
	return map[string]keeper{
		"folder": {
			open: func() *shelf { return folder },
			flip: func(a workflows.Artifact) {
				raw, err := os.ReadFile(path(a))
				w.must(err)
				raw[len(raw)/2] ^= 1
				w.must(os.WriteFile(path(a), raw, 0o600))
			},
			drop: func(a workflows.Artifact) { w.must(os.Remove(path(a))) },
			says: func(a workflows.Artifact) string { return a.Digest },
		},
		"S3": {
			open: func() *shelf { return w.shelf(w.store()) },
			flip: func(a workflows.Artifact) { w.s3.Flip(bucket, key(a)) },
			drop: func(a workflows.Artifact) { w.s3.Delete(bucket, key(a), a.At[strings.Index(a.At, "=")+1:]) },
			says: func(a workflows.Artifact) string { return a.At },
		},
	}
}

// What is packed is laid out again with run bits and links, equal content is one
// artifact, and what is damaged or gone is an error that names it and does not pass:
// not a file of it is laid out.
func TestBothKeepersDoTheSame(t *testing.T) {
	for _, name := range []string{"folder", "S3"} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				k := w.keepers()[name]
				a := w.pack(k.open(), "1")
				if again := w.pack(k.open(), "1"); again != a {
					t.Errorf("the same content is %+v, then %+v", a, again)
				}
				to := t.TempDir()
				w.must(k.open().Unpack(a, to))
				if d := cmp.Diff([]string{"current -> dist/app.js", "755 dist/", "640 dist/app.js 1", "755 run #!/bin/sh\n"}, w.lines(to)); d != "" {
					t.Errorf("laid out (-want +got):\n%s", d)
				}
				damaged, gone := w.pack(k.open(), "2"), w.pack(k.open(), "3")
				k.flip(damaged)
				k.drop(gone)
				for what, a := range map[string]workflows.Artifact{"damaged": damaged, "missing": gone} {
					to := filepath.Join(t.TempDir(), "in")
					err := k.open().Unpack(a, to)
					var says interface{ Passes() bool }
					if err == nil || errors.As(err, &says) && says.Passes() || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), k.says(a)) {
						t.Errorf("%s: %v", what, err)
					}
					if _, err := os.Stat(to); err == nil {
						t.Errorf("%s: something of it was laid out", what)
					}
				}
				if again := w.pack(k.open(), "2"); again.Digest != damaged.Digest {
					t.Errorf("packed again: %+v", again)
				} else {
					w.must(k.open().Unpack(again, t.TempDir())) // which heals it
				}
			})
		})
	}
}

// An object is named by its content, checked by S3 when it comes, encrypted, and
// put once; its version is in the artifact.
func TestObjects(t *testing.T) {
	in(t, func(w *world) {
		store := w.store()
		a := w.pack(w.shelf(store), "1")
		all := w.s3.Objects(bucket)
		if len(all) != 1 {
			t.Fatalf("there are %d objects", len(all))
		}
		o := all[0]
		if want := "rollcall/webshop-of-the-whole/compiled-a/" + a.Digest + ".zip"; o.Key != want || a.At != "s3://"+bucket+"/"+want+"?versionId="+o.Version {
			t.Errorf("it is at %s, and the artifact says %s", o.Key, a.At)
		}
		if o.Encryption != "aws:kms" || o.KMSKey != "alias/art" || !o.BucketKey || o.ContentType != "application/zip" {
			t.Errorf("stored as %s %s %v %s", o.Encryption, o.KMSKey, o.BucketKey, o.ContentType)
		}
		before := len(w.aws.Calls())
		w.pack(w.shelf(w.store()), "1")
		if got := w.calls(before); !slices.Equal(got, []string{"HeadObject"}) {
			t.Errorf("stored again by %v", got)
		}
		at, err := store.Put(w.Context(), "webshop-of-the-whole-company", a, bytes.NewReader(o.Data)) // as of two at once
		if err != nil || at != a.At || len(w.s3.Objects(bucket)) != 1 {
			t.Errorf("put again: %s, %v", at, err)
		}
		if _, err := store.Put(w.Context(), "webshop", a, bytes.NewReader([]byte("x"))); err == nil {
			t.Error("what is not of the digest was stored")
		}
		got, err := store.Object(a)
		if want := (artifacts.Object{Bucket: bucket, Key: o.Key, Version: o.Version, Digest: a.Digest, Size: a.Size}); err != nil || got != want {
			t.Errorf("the object is %+v, %v", got, err)
		}
		for _, c := range w.aws.Calls() {
			if c.Service == "s3" && !strings.Contains(string(c.Input), `"ExpectedBucketOwner":"`+account+`"`) {
				t.Errorf("%s asks nobody's bucket: %s", c.Operation, c.Input)
			}
		}
	})
}

// What is wrong with where it is looked for makes the artifact missing, by its key;
// that AWS cannot be asked does not.
func TestWhatIsWrongIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		harm   func(w *world, a workflows.Artifact) *artifacts.Store
		want   string
		passes bool
	}{
		"another owner": {func(w *world, _ workflows.Artifact) *artifacts.Store {
			return w.store(func(o *artifacts.Options) { o.Account = stranger })
		}, "the bucket belongs to another account", false},
		"another Region": {func(w *world, _ workflows.Artifact) *artifacts.Store {
			return w.store(func(o *artifacts.Options) { o.Region = "ap-south-1" })
		}, "the bucket is not in the Region where it was looked for (it is in eu-west-1)", false},
		"a version that is gone": {func(w *world, a workflows.Artifact) *artifacts.Store {
			w.s3.Delete(bucket, strings.TrimPrefix(a.Place(), "s3://"+bucket+"/"), "")
			return w.store()
		}, "there is nothing", false},
		"a flipped byte": {func(w *world, a workflows.Artifact) *artifacts.Store {
			w.s3.Flip(bucket, strings.TrimPrefix(a.Place(), "s3://"+bucket+"/"))
			return w.store()
		}, "it is damaged", false},
		"throttling": {func(w *world, _ workflows.Artifact) *artifacts.Store {
			w.aws.Faults(awsfake.Fault{Operation: "s3:*", Trouble: awsfake.Throttle})
			return w.store()
		}, "", true},
		"no answer": {func(w *world, _ workflows.Artifact) *artifacts.Store {
			w.aws.Faults(awsfake.Fault{Operation: "s3:*", Trouble: awsfake.CutBefore})
			return w.store()
		}, "the connection to AWS broke", true},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				a := w.pack(w.shelf(w.store()), "1")
				store := c.harm(w, a)
				_, err := store.In(w.Context(), "", a)
				_, errRead := store.ReadFile(w.Context(), a, "run", 100)
				errOpen := w.shelf(store).Unpack(a, t.TempDir())
				for what, err := range map[string]error{"In": err, "ReadFile": errRead, "Unpack": errOpen} {
					var missing *artifacts.MissingError
					var says interface{ Passes() bool }
					if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), a.Place()) && !c.passes {
						t.Errorf("%s: %v", what, err)
						continue
					}
					if passes := errors.As(err, &says) && says.Passes(); passes != c.passes {
						t.Errorf("%s passes: %v (%v)", what, passes, err)
					}
					if what != "Unpack" && errors.As(err, &missing) == c.passes {
						t.Errorf("%s makes it missing: %v (%v)", what, !c.passes, err)
					}
				}
			})
		})
	}
}

// An action of another Region reads a copy there, under the same key, made once; a
// copy that is damaged is made again.
func TestAnotherRegion(t *testing.T) {
	in(t, func(w *world) {
		store := w.store()
		a := w.pack(w.shelf(store), "1")
		first, err := store.In(w.Context(), abroad, a)
		if err != nil || first.Bucket != other || first.Region != abroad || first.Digest != a.Digest || !strings.HasSuffix(a.Place(), first.Key) {
			t.Fatalf("abroad it is %+v, %v", first, err)
		}
		copied := w.s3.Objects(other)
		if len(copied) != 1 || copied[0].KMSKey != "alias/art" || !bytes.Equal(copied[0].Data, w.s3.Objects(bucket)[0].Data) {
			t.Fatalf("copied: %+v", copied)
		}
		before := len(w.aws.Calls())
		if again, err := store.In(w.Context(), abroad, a); err != nil || again != first || !slices.Equal(w.calls(before), []string{"HeadObject"}) {
			t.Errorf("again %+v, %v, by %v", again, err, w.calls(before))
		}
		w.s3.Flip(other, first.Key)
		if healed, err := store.In(w.Context(), abroad, a); err != nil || healed.Version == first.Version {
			t.Errorf("after the copy was damaged: %+v, %v", healed, err)
		}
		same, err := store.In(w.Context(), home, a)
		if err != nil || same.At() != a.At {
			t.Errorf("at home it is %+v, %v", same, err)
		}
		w.s3.Flip(bucket, same.Key)
		w.s3.Delete(other, first.Key, "")
		var missing *artifacts.MissingError
		if _, err := store.In(w.Context(), abroad, a); !errors.As(err, &missing) {
			t.Errorf("a damaged one is copied: %v", err)
		}
		if _, err := store.In(w.Context(), "ap-south-1", a); !errors.As(err, &missing) || !strings.Contains(err.Error(), "aws.artifacts.regions names no bucket there") {
			t.Errorf("where there is no bucket: %v", err)
		}
	})
}

// What AWS wrote becomes an artifact: by the sum that its writer says, by S3's, or by
// reading it once.
func TestAdopt(t *testing.T) {
	in(t, func(w *world) {
		store := w.store()
		o := store.Output(home, "webshop", token, "app")
		if o.Bucket != bucket || o.Key != "rollcall/webshop/"+token+"/app" {
			t.Fatalf("AWS is to write to %+v", o)
		}
		if there := store.Output(abroad, "webshop", token, "app"); there.Bucket != other {
			t.Errorf("abroad AWS is to write to %+v", there)
		}
		ctx := w.Context()
		var missing *artifacts.MissingError
		if _, err := store.Adopt(ctx, "app", o, ""); !errors.As(err, &missing) || !strings.Contains(err.Error(), o.Key) {
			t.Errorf("nothing was written, and it is %v", err)
		}
		sample := w.pack(w.shelf(store), "1")
		data := w.s3.Objects(bucket)[0].Data
		version := w.s3.Put(bucket, o.Key, data)
		for _, sum := range []string{"", strings.ToUpper(sample.Digest)} {
			a, err := store.Adopt(ctx, "app", o, sum)
			if want := (workflows.Artifact{Name: "app", Digest: sample.Digest, Size: int64(len(data)), At: "s3://" + bucket + "/" + o.Key + "?versionId=" + version}); err != nil || a != want {
				t.Errorf("with the sum %q it is %+v, %v", sum, a, err)
			}
			w.must(w.shelf(store).Unpack(a, t.TempDir()))
		}
		w.s3.PutUnchecked(bucket, o.Key, data) // as CodeBuild does
		before := len(w.aws.Calls())
		if a, err := store.Adopt(ctx, "app", o, ""); err != nil || a.Digest != sample.Digest || !slices.Equal(w.calls(before), []string{"HeadObject", "GetObject"}) {
			t.Errorf("read once: %+v, %v, by %v", a, err, w.calls(before))
		}
		if _, err := store.Adopt(ctx, "app", o, "beef"); err == nil {
			t.Error("any sum is taken")
		}
	})
}

// An object from elsewhere is copied by S3 when its checksum is known and the store may
// read it; otherwise it is read as who may.
func TestTake(t *testing.T) {
	in(t, func(w *world) {
		w.aws.Roles(awsfake.Role{ARN: reader})
		w.s3.Create(s3.Bucket{Name: "theirs", Owner: stranger, Region: abroad})
		w.s3.Create(s3.Bucket{Name: "shared", Owner: stranger, Region: abroad, Shared: true})
		as, err := accounts.Open(accounts.Options{Region: abroad, Transport: func(http.RoundTripper) http.RoundTripper { return wirefake.Direct(w.aws) }}).Config(w.Context(), accounts.Place{Roles: []string{reader}, Objects: true})
		w.must(err)
		store := w.store()
		for i, c := range []struct {
			bucket string
			put    func(bucket, key string, data []byte) string
			calls  []string
		}{
			{"shared", w.s3.Put, []string{"HeadObject", "HeadObject", "CopyObject"}},
			{"shared", w.s3.PutUnchecked, []string{"HeadObject", "GetObject", "PutObject"}},
			{"theirs", w.s3.Put, []string{"HeadObject", "HeadObject", "CopyObject", "GetObject", "PutObject"}},
		} {
			data := fmt.Appendf(nil, "zip %d", i)
			version := c.put(c.bucket, "in/app+1.zip", data)
			c.put(c.bucket, "in/app+1.zip", []byte("something newer"))
			before := len(w.aws.Calls())
			a, err := store.Take(w.Context(), "webshop", "source", artifacts.Object{Region: abroad, Bucket: c.bucket, Key: "in/app+1.zip", Version: version}, as)
			sum := sha256.Sum256(data)
			digest := hex.EncodeToString(sum[:])
			if err != nil || a.Name != "source" || a.Digest != digest || a.Size != int64(len(data)) || a.Place() != "s3://acme-art/rollcall/webshop/source/"+digest+".zip" {
				t.Errorf("%d: taken %+v, %v", i, a, err)
			}
			if got := w.calls(before); !slices.Equal(got, c.calls) {
				t.Errorf("%d: taken by %v, want %v", i, got, c.calls)
			}
			from, err := store.Get(w.Context(), a)
			w.must(err)
			if got, err := io.ReadAll(from); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d: kept %q, %v", i, got, err)
			}
			w.must(from.Close())
		}
		if _, err := store.Take(w.Context(), "webshop", "source", artifacts.Object{Region: abroad, Bucket: "theirs", Key: "none"}, as); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("nothing is taken: %v", err)
		}
	})
}

// A file that a service reads lies where the action's outputs do, encrypted like them.
func TestWrite(t *testing.T) {
	in(t, func(w *world) {
		store := w.store()
		for region, bucket := range map[string]string{home: bucket, abroad: other} {
			o, err := store.Write(w.Context(), store.Output(region, "webshop", token, "stack.template"), []byte("Resources:"))
			got := w.s3.Objects(bucket)
			if err != nil || len(got) != 1 || got[0].Key != o.Key || o.Version != got[0].Version || string(got[0].Data) != "Resources:" || got[0].Encryption != "aws:kms" || got[0].KMSKey != "alias/art" {
				t.Errorf("%s: %+v, %v", region, o, err)
			}
		}
		_, err := store.Write(w.Context(), artifacts.Object{Region: "us-west-2", Key: "x"}, nil)
		if err == nil || !strings.Contains(err.Error(), "us-west-2") {
			t.Errorf("where there is no bucket: %v", err)
		}
	})
}

// One file of an artifact is read when all of it is proved.
func TestReadFile(t *testing.T) {
	in(t, func(w *world) {
		store := w.store()
		a := w.pack(w.shelf(store), "console.log(1)")
		if got, err := store.ReadFile(w.Context(), a, "dist/app.js", 14); err != nil || string(got) != "console.log(1)" {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := store.ReadFile(w.Context(), a, "dist/app.js", 13); !errors.Is(err, artifacts.ErrTooBig) {
			t.Errorf("too big: %v", err)
		}
		var missing *artifacts.MissingError
		if _, err := store.ReadFile(w.Context(), a, "dist", 13); !errors.Is(err, fs.ErrNotExist) || errors.As(err, &missing) {
			t.Errorf("not there: %v", err)
		}
		a.At = ""
		if _, err := store.ReadFile(w.Context(), a, "run", 100); !errors.As(err, &missing) || !strings.Contains(err.Error(), "before aws.artifacts was set") {
			t.Errorf("in the data folder only: %v", err)
		}
	})
}

// Retention removes an artifact with all its versions, in every Region, and nothing
// that was asked for since a day, that is young, or that is not ours.
func TestRetention(t *testing.T) {
	in(t, func(w *world) {
		a := w.pack(w.shelf(w.store()), "1")
		store := w.store()
		_, err := store.In(w.Context(), abroad, a)
		w.must(err)
		w.s3.Put(bucket, strings.TrimPrefix(a.Place(), "s3://"+bucket+"/"), []byte("an older version is left"))
		w.s3.Put(bucket, "rollcall/webshop/"+token+"/app", []byte("written by AWS"))
		for _, key := range []string{"rollcall/notes.txt", "rollcall/a/b/c.zip", "other/webshop/app/" + a.Digest + ".zip"} {
			w.s3.Put(bucket, key, []byte("not ours"))
		}
		list, err := store.List(w.Context())
		w.must(err)
		var names []string
		for _, one := range list {
			names = append(names, one.Name)
		}
		copied := strings.Replace(a.Place(), bucket, other, 1)
		want := []string{a.Place(), "s3://" + bucket + "/rollcall/webshop/" + token + "/app", copied}
		if d := cmp.Diff(want, names); d != "" {
			t.Fatalf("listed (-want +got):\n%s", d)
		}
		written := list[0].At
		time.Sleep(time.Hour)
		try := func(what string, s *artifacts.Store, name string, before time.Time, want bool) {
			t.Helper()
			if got, err := s.Remove(w.Context(), name, before); err != nil || got != want {
				t.Errorf("%s: removed %v, %v", what, got, err)
			}
		}
		try("it was asked for", store, copied, time.Now(), false)
		try("it is young", w.store(), a.Place(), written, false)
		try("it is old", w.store(), a.Place(), time.Now(), true)
		try("it is gone", w.store(), a.Place(), time.Now(), false)
		time.Sleep(24 * time.Hour)
		try("a day later", store, copied, time.Now(), true)
		try("AWS wrote it", store, names[1], time.Now(), true)
		for _, name := range []string{"s3://" + bucket + "/rollcall/notes.txt", "s3://somebody/rollcall/webshop/" + token + "/app", "s3://" + bucket} {
			if _, err := store.Remove(w.Context(), name, time.Now()); err == nil {
				t.Errorf("%s was removed", name)
			}
		}
		if left := w.s3.Objects(bucket); len(left) != 3 || len(w.s3.Objects(other)) != 0 {
			t.Errorf("left: %v", left)
		}
		to := t.TempDir()
		if err := w.shelf(store).Unpack(a, to); err == nil || !strings.Contains(err.Error(), "it is missing") {
			t.Errorf("one that retention removed: %v", err)
		}
	})
}
