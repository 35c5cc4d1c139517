package git

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Where Bitbucket's and GitLab's repositories are, and which names they may have.
func TestWhereHostsAre(t *testing.T) {
	s := New(Options{CacheDir: t.TempDir(), Hosts: map[string]Connection{Bitbucket: {CloneURL: "https://git.example/scm"}}})
	for _, c := range []struct{ provider, id, url, page, fails string }{
		{GitLab, "acme/team/webshop", "https://gitlab.com/acme/team/webshop.git", "https://gitlab.com/acme/team/webshop/-/commit/abc", ""},
		{GitLab, "acme/webshop.git", "https://gitlab.com/acme/webshop.git", "https://gitlab.com/acme/webshop/-/commit/abc", ""},
		{Bitbucket, "SHOP/webshop", "https://git.example/scm/SHOP/webshop.git", "https://git.example/projects/SHOP/repos/webshop/commits/abc", ""},
		{Bitbucket, "~ana/webshop", "https://git.example/scm/~ana/webshop.git", "https://git.example/users/ana/repos/webshop/commits/abc", ""},
		{Bitbucket, "acme/team/webshop", "", "", "not of the form owner/name"},
		{GitLab, "webshop", "", "", "not of the form owner/name"},
		{GitLab, "acme/../webshop", "", "", "not of the form owner/name"},
		{GitLab, "~acme/webshop", "", "", "not of the form owner/name"},
		{Bitbucket, "https://evil.example/x", "", "", "not of the form owner/name"},
	} {
		p, err := s.remote(c.provider, map[string]string{"BranchName": "main", "FullRepositoryId": c.id})
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s %s: %v, want %s", c.provider, c.id, err, c.fails)
		case c.fails == "" && (err != nil || p.url != c.url || p.commitURL("abc") != c.page || p.repository != strings.TrimSuffix(c.id, ".git") || p.provider != c.provider):
			t.Errorf("%s %s: %+v, %v", c.provider, c.id, p, err)
		}
	}
	key := func(provider string) string {
		return s.Key(work.Followed{Action: workflows.Action{ActionType: workflows.ActionType{Provider: provider}, Configuration: map[string]string{"FullRepositoryId": "acme/webshop", "BranchName": "main"}}})
	}
	if key(Bitbucket) == key(GitHub) || key(Bitbucket) == key(GitLab) {
		t.Error("the same name at two hosts is one")
	}
}

// The user name that goes with a token.
func TestTheUserOfAHost(t *testing.T) {
	for _, c := range []struct {
		c    Connection
		want string
	}{
		{Connection{CloneURL: "https://github.com/"}, "x-access-token"}, {Connection{CloneURL: "https://gitlab.com/"}, "x-access-token"},
		{Connection{CloneURL: "https://bitbucket.org/"}, "x-token-auth"}, {Connection{CloneURL: "https://bitbucket.org/", User: "ana"}, "ana"},
	} {
		if got := c.c.user(); got != c.want {
			t.Errorf("%+v: %s", c.c, got)
		}
	}
	if text := (secret{"t0k", "ana"}).hide("a t0k b " + (secret{"t0k", "ana"}).basic()); text != "a *** b ***" {
		t.Error(text)
	}
}

// A source of GitLab is fetched with its token, from its host alone; a pull request's
// commit, which Bitbucket shows abbreviated, is completed on its branch.
func TestSourcesOfHosts(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "work"))
	main := r.commit("file", "1", "one")
	r.git("checkout", "-q", "-b", "feature")
	head := r.commit("file", "2", "two")
	r.git("checkout", "-q", "main")
	r.git("clone", "-q", "--bare", r.dir, filepath.Join(root, "acme", "team", "webshop.git"))
	r.git("clone", "-q", "--bare", r.dir, filepath.Join(root, "acme", "webshop.git"))
	h := newHub(t, root)
	never := func(context.Context) (string, error) {
		return "", errors.New("the token of another place was asked for")
	}
	right := func(context.Context) (string, error) { return token, nil }
	s := New(Options{CloneURL: "https://127.0.0.1:1/", Token: never, CacheDir: t.TempDir(), Hosts: map[string]Connection{GitLab: {CloneURL: h.URL, Token: right}, Bitbucket: {CloneURL: h.URL, Token: right}}})
	tk := githubTask()
	tk.Action.ActionType.Provider, tk.Configuration["FullRepositoryId"] = GitLab, "acme/team/webshop"
	o, err := s.Start(t.Context(), tk, newDesk(t))
	if err != nil || o.State != work.Succeeded || o.Revision.RevisionID != main || o.Revision.Repository != "acme/team/webshop" || o.Outputs["FullRepositoryName"] != "acme/team/webshop" || o.Outputs["RepositoryName"] != "webshop" {
		t.Fatalf("%+v, %+v, %v", o.Error, o.Revision, err)
	}
	followed := work.Followed{Action: workflows.Action{ActionType: tk.Action.ActionType, Configuration: tk.Configuration}}
	if c, err := s.Head(t.Context(), followed); err != nil || c.Provider != GitLab || c.Commit != main || c.Repository != "acme/team/webshop" {
		t.Errorf("the head is told as %+v, %v", c, err)
	}
	if between, err := s.Compare(t.Context(), work.Range{Provider: GitLab, Repository: o.Revision.Repository, From: main, To: head}); err != nil || !between.Complete || between.Count != 1 {
		t.Errorf("what lies between: %+v, %v", between, err)
	}

	pull := githubTask()
	pull.Action.ActionType.Provider, pull.Configuration["FullRepositoryId"] = Bitbucket, "acme/webshop"
	for _, c := range []struct{ branch, id, want, code string }{
		{"feature", head[:12], head, ""},
		{"feature", main[:12], main, ""},
		{"gone", main[:12], main, ""}, // the branch went with the merge
		{"gone", head[:12], "", "Superseded"},
	} {
		pull.Revision = &workflows.SourceRevision{RevisionID: c.id, Branch: c.branch, AnyBranch: true}
		o, err := s.Start(t.Context(), pull, newDesk(t))
		switch {
		case err != nil, c.want == "" && (o.State != work.Failed || o.Error.Code != c.code):
			t.Errorf("%s on %s: %+v, %v", c.id, c.branch, o.Error, err)
		case c.want != "" && (o.State != work.Succeeded || o.Revision.RevisionID != c.want):
			t.Errorf("%s on %s: %+v %+v", c.id, c.branch, o.Error, o.Revision)
		}
	}
}
