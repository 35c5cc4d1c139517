package git

import (
	"context"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const token = "ghs_hunter2hunter2"

// hub serves repositories over https, to those who have the token, with the
// program that comes with git. A status other than 0 is its answer to everything.
type hub struct {
	*httptest.Server
	status atomic.Int32
	asked  atomic.Int32           // requests with the token
	moved  atomic.Pointer[string] // where acme/old is now acme/webshop
	old    atomic.Bool            // speaks the first protocol only, which gives no commit away by its ID
}

func newHub(t *testing.T, root string) *hub {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(path)), "git-http-backend")
	if _, missing := os.Stat(backend); err != nil || missing != nil {
		t.Skip("this git comes without git-http-backend")
	}
	h := &hub{}
	program := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, ok := r.BasicAuth()
		switch {
		case h.status.Load() != 0:
			http.Error(w, "hub is in a mood", int(h.status.Load()))
		case h.moved.Load() != nil && strings.HasPrefix(r.URL.Path, "/acme/old.git/"):
			http.Redirect(w, r, *h.moved.Load()+strings.Replace(r.URL.RequestURI(), "/old.git/", "/webshop.git/", 1), http.StatusMovedPermanently)
		case !ok || password != token:
			w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
		default:
			h.asked.Add(1)
			r.Header.Del("Authorization")
			if h.old.Load() {
				r.Header.Del("Git-Protocol")
			}
			program.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	cert := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_SSL_CAINFO", cert)
	t.Setenv("NO_PROXY", "127.0.0.1")
	return h
}

func githubTask() work.Task {
	tk := task("", "")
	tk.Action.ActionType.Provider = GitHub
	tk.Configuration = map[string]string{"FullRepositoryId": "acme/webshop", "BranchName": "main"}
	return tk
}

func TestGitHubOverHTTPS(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "work"))
	sha := r.commit("file", "1", "one")
	r.git("clone", "-q", "--bare", r.dir, filepath.Join(root, "acme", "webshop.git"))
	h := newHub(t, root)
	cache := t.TempDir()
	s := New(Options{CloneURL: h.URL, CacheDir: cache, Token: func(context.Context) (string, error) { return token, nil }})

	d := newDesk(t)
	o, err := s.Start(t.Context(), githubTask(), d)
	if err != nil || o.State != work.Succeeded {
		t.Fatal(o.Error, err)
	}
	if want := h.URL + "/acme/webshop/commit/" + sha; o.Revision.RevisionURL != want || o.Revision.Repository != "acme/webshop" || o.Outputs["FullRepositoryName"] != "acme/webshop" || o.Outputs["RepositoryName"] != "webshop" {
		t.Errorf("outcome %+v %+v", o, o.Revision)
	}
	// D3: the runner leaves what the checker and the manual list, for each provider.
	for provider, where := range map[string]string{GitHub: "", CodeStar: "", Git: r.dir} {
		tk := task(where, "")
		tk.Action.ActionType.Provider = provider
		tk.Configuration = map[string]string{"FullRepositoryId": "acme/webshop", "Repository": where, "BranchName": "main", "ConnectionArn": "arn:x"}
		local := New(Options{CloneURL: h.URL, CacheDir: t.TempDir(), AllowFileURLs: true, Token: func(context.Context) (string, error) { return token, nil }})
		o, err := local.Start(t.Context(), tk, newDesk(t))
		want, _ := source.Outputs(&workflows.Action{ActionType: tk.Action.ActionType, Configuration: tk.Configuration})
		if got := slices.Sorted(maps.Keys(o.Outputs)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s leaves %v, want %v (%v)", provider, got, want, err)
		}
		if url := o.Outputs["CommitUrl"]; where == "" && url != h.URL+"/acme/webshop/commit/"+sha {
			t.Errorf("%s: CommitUrl %q", provider, url)
		}
	}
	action := workflows.Action{ActionType: workflows.ActionType{Provider: GitHub}, Configuration: githubTask().Configuration}
	if c, err := s.Head(t.Context(), work.Followed{Action: action}); err != nil || c.Commit != sha || c.Provider != "GitHub" || c.Repository != "acme/webshop" || c.Event != "push" || c.Branch != "main" {
		t.Errorf("Head: %+v %v", c, err)
	}
	holdsNoToken(t, cache, d.root)

	t.Run("the same place as Git gets no token", func(t *testing.T) {
		before := h.asked.Load()
		o, err := s.Start(t.Context(), task(h.URL+"/acme/webshop.git", ""), newDesk(t))
		if err != nil || o.State != work.Failed || h.asked.Load() != before {
			t.Errorf("outcome %+v %v", o, err)
		}
	})
}

// holdsNoToken looks into every file of the folders.
func holdsNoToken(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), token) || strings.Contains(string(data), secret{token, "x-access-token"}.basic()) {
				t.Errorf("%s holds the token", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What will not mend is failed, what may mend is an error; no text shows the token.
func TestStatuses(t *testing.T) {
	h := newHub(t, t.TempDir())
	for _, c := range []struct {
		status int
		final  bool
		says   string
	}{
		{401, true, "does not let rollcall in"},
		{403, true, "does not let rollcall in"},
		{404, true, "there is no repository acme/webshop"},
		{429, false, "429"},
		{500, false, "500"},
		{502, false, "502"},
		{503, false, "503"},
	} {
		h.status.Store(int32(c.status))
		s := New(Options{CloneURL: h.URL + "/", CacheDir: t.TempDir(), Token: func(context.Context) (string, error) { return token, nil }})
		d := newDesk(t)
		o, err := s.Start(t.Context(), githubTask(), d)
		says := ""
		if err != nil {
			says = err.Error()
		} else if o.Error != nil {
			says = o.Error.Message
		}
		if (err == nil) != c.final || !strings.Contains(says, c.says) {
			t.Errorf("%d: %+v %q %v", c.status, o, says, err)
		}
		if strings.Contains(says, token) || strings.Contains(says, secret{token, "x-access-token"}.basic()) {
			t.Errorf("%d: the token is in %q", c.status, says)
		}
		holdsNoToken(t, d.root)
	}
}

func TestUnreachableIsAnError(t *testing.T) {
	h := newHub(t, t.TempDir())
	h.Close()
	s := New(Options{CloneURL: h.URL, CacheDir: t.TempDir()})
	if o, err := s.Start(t.Context(), githubTask(), newDesk(t)); err == nil {
		t.Errorf("outcome %+v", o.Error)
	}
	trouble := errors.New("the vault is closed")
	s = New(Options{CloneURL: h.URL, CacheDir: t.TempDir(), Token: func(context.Context) (string, error) { return "", trouble }})
	if _, err := s.Start(t.Context(), githubTask(), newDesk(t)); !errors.Is(err, trouble) {
		t.Errorf("error %v", err)
	}
}

// The guards behind the guards: even an URL that nobody has checked is not
// spoken to in another protocol, and what git might say hides the token.
func TestGuardsBehindTheGuards(t *testing.T) {
	s := New(Options{CloneURL: "https://git.example", CacheDir: t.TempDir()})
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"http://127.0.0.1:1/x", "git://127.0.0.1:1/x", "/somewhere", "file:///somewhere", "ext::touch pwned"} {
		_, err := s.git(t.Context(), remote{}, call{remote: true, args: []string{"ls-remote", "--", where}})
		if err == nil || !strings.Contains(err.Error(), "not allowed") {
			t.Errorf("%s: %v", where, err)
		}
	}
	s = New(Options{CloneURL: "https://git.example", CacheDir: t.TempDir(), AllowFileURLs: true, Token: func(context.Context) (string, error) { return token, nil }})
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"/" + token, "/" + secret{token, "x-access-token"}.basic()} {
		_, err := s.git(t.Context(), remote{at: Connection{CloneURL: s.o.CloneURL, Token: s.o.Token}, url: "https://git.example/x"}, call{remote: true, args: []string{"ls-remote", "--", where}})
		if err == nil || !strings.Contains(err.Error(), "'/***'") {
			t.Errorf("error %v", err)
		}
	}
}
