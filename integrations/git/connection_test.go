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

const bitbucket, gitlab = "arn:aws:codeconnections:eu-west-1:111122223333:connection/b", "arn:aws:codestar-connections:eu-west-1:111122223333:connection/l"

// Where a connection leads is said in the configuration, because its ARN does
// not say it; the same name at GitHub is somebody else's repository.
func TestWhereConnectionsLead(t *testing.T) {
	s := New(Options{CacheDir: t.TempDir(), CloneURL: "https://github.example", Connections: map[string]Connection{bitbucket: {CloneURL: "https://bitbucket.example/"}, gitlab: {CloneURL: "git@gitlab.example:"}}})
	without := New(Options{CacheDir: t.TempDir()})
	for _, c := range []struct {
		s               *Source
		arn, id         string
		url, repository string
		fails           string
	}{
		{s, bitbucket, "acme/webshop", "https://bitbucket.example/acme/webshop.git", "https://bitbucket.example/acme/webshop", ""},
		{s, gitlab, "acme/team/webshop", "git@gitlab.example:acme/team/webshop.git", "git@gitlab.example:acme/team/webshop", ""},
		{s, "", "https://bitbucket.example/acme/webshop", "https://bitbucket.example/acme/webshop.git", "https://bitbucket.example/acme/webshop", ""}, // as a revision names it
		{s, "arn:of:another", "acme/webshop", "https://github.example/acme/webshop.git", "acme/webshop", ""},
		{s, "arn:of:another", "acme/team/webshop", "", "", "say in aws.connections where it leads"},
		{without, "arn:of:another", "acme/webshop", "", "", "it is not in aws.connections"},
		{s, bitbucket, "webshop", "", "", "not of the form owner/name"},
		{s, bitbucket, "acme/../webshop", "", "", "not of the form owner/name"},
		{s, bitbucket, "https://evil.example/x/y", "", "", "not of the form owner/name"},
		{s, "arn:of:another", "https://bitbucket.example/acme/webshop", "", "", "not of the form owner/name"},
	} {
		p, err := c.s.remote(CodeStar, map[string]string{"BranchName": "main", "FullRepositoryId": c.id, "ConnectionArn": c.arn})
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s %s: %v, want %s", c.arn, c.id, err, c.fails)
		case c.fails == "" && (err != nil || p.url != c.url || p.repository != c.repository):
			t.Errorf("%s %s: %q called %q, %v", c.arn, c.id, p.url, p.repository, err)
		}
	}
}

// What is looked at once is what is one: the same name at two places is not.
func TestEachConnectionIsLookedAtForItself(t *testing.T) {
	s := New(Options{CacheDir: t.TempDir(), CloneURL: "https://github.example", Connections: map[string]Connection{bitbucket: {CloneURL: "https://bitbucket.example"}, gitlab: {CloneURL: "git@gitlab.example:"}}})
	key := func(provider, arn, repository string) string {
		return s.Key(work.Followed{Action: workflows.Action{ActionType: workflows.ActionType{Provider: provider}, Configuration: map[string]string{"ConnectionArn": arn, "FullRepositoryId": repository, "BranchName": "main"}}})
	}
	for got, want := range map[string]string{
		key(CodeStar, bitbucket, "acme/webshop"):         "https://bitbucket.example/acme/webshop|main",
		key(CodeStar, gitlab, "acme/webshop"):            "git@gitlab.example:acme/webshop|main",
		key(CodeStar, "arn:of:another", "acme/webshop2"): "acme/webshop2|main", // as GitHub's, and as before connections were known
		key(GitHub, bitbucket, "acme/webshop"):           "acme/webshop|main",
		s.Key(work.Followed{Action: workflows.Action{ActionType: workflows.ActionType{Provider: Git}, Configuration: map[string]string{"Repository": "https://git.example/x", "BranchName": "b"}}}): "https://git.example/x|b",
	} {
		if got != want {
			t.Errorf("the key is %q, want %q", got, want)
		}
	}
}

// The token of a connection goes where that leads and nowhere else, and GitHub's not there.
func TestTheTokenOfAConnection(t *testing.T) {
	root := t.TempDir()
	r := newRepo(t, filepath.Join(root, "acme", "work"))
	sha := r.commit("file", "1", "one")
	r.git("clone", "-q", "--bare", r.dir, filepath.Join(root, "acme", "webshop.git"))
	h := newHub(t, root)
	never := func(context.Context) (string, error) {
		return "", errors.New("the token of another place was asked for")
	}
	right := func(context.Context) (string, error) { return token, nil }
	s := New(Options{CloneURL: "https://127.0.0.1:1/", Token: never, CacheDir: t.TempDir(), Connections: map[string]Connection{bitbucket: {CloneURL: h.URL, Token: right}, gitlab: {CloneURL: "https://127.0.0.1:1", Token: never}}})
	tk := githubTask()
	tk.Action.ActionType.Provider = CodeStar
	tk.Configuration["ConnectionArn"] = bitbucket
	o, err := s.Start(t.Context(), tk, newDesk(t))
	if err != nil || o.State != work.Succeeded || o.Revision.RevisionID != sha || o.Revision.Repository != h.URL+"/acme/webshop" || o.Outputs["FullRepositoryName"] != "acme/webshop" {
		t.Fatalf("%+v, %+v, %v", o.Error, o.Revision, err)
	}
	head, err := s.Head(t.Context(), work.Followed{Action: workflows.Action{ActionType: tk.Action.ActionType, Configuration: tk.Configuration}})
	if err != nil || head.Commit != sha || head.Repository != "acme/webshop" {
		t.Errorf("the head is told as %+v, %v", head, err)
	}
	between, err := s.Compare(t.Context(), work.Range{Provider: CodeStar, Repository: o.Revision.Repository, From: sha, To: sha})
	if err != nil || !between.Complete {
		t.Errorf("what lies between is asked elsewhere: %+v, %v", between, err)
	}
}
