package git

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Providers this package carries out, as pipeline files name them.
const (
	Git        = "Git"                      // configuration Repository (URL or path), BranchName
	GitHub     = "GitHub"                   // configuration FullRepositoryId (owner/name), BranchName
	Bitbucket  = "Bitbucket"                // as GitHub
	GitLab     = "GitLab"                   // as GitHub; groups may be nested
	CodeStar   = "CodeStarSourceConnection" // as GitHub
	defaultURL = "https://github.com/"
)

// Options are what a [Source] needs.
type Options struct {
	// CloneURL stands before "owner/name.git" for GitHub actions; empty: https://github.com/,
	// but not for a CodeStarSourceConnection, which may lead to another host.
	CloneURL string
	// WebURL stands before "owner/name" of the web pages of GitHub, for the links of
	// ranges where CloneURL is no https address; empty: there are none then.
	WebURL string
	// AllowFileURLs also allows file:// URLs and paths; otherwise only https and ssh.
	AllowFileURLs bool
	// CacheDir is the folder of the bare copies; it is created with mode 0700.
	CacheDir string
	// Token returns the password for https at CloneURL, and only there; nil: none.
	Token func(ctx context.Context) (string, error)
	// Connections says where each CodeStarSourceConnection leads, by its ARN. One
	// that is not among them is taken to lead to CloneURL, if that is given.
	Connections map[string]Connection
	// Hosts says where the repositories of Bitbucket and GitLab actions are, by the
	// provider; one that is missing is at bitbucket.org or gitlab.com, without a token.
	Hosts map[string]Connection
	// People maps a login at GitHub to an e-mail address, so that somebody who
	// commits under GitHub's address that hides the real one is known.
	People map[string]string
	// Log takes what operators should know; nil: nothing is logged.
	Log *slog.Logger
}

// Connection is another server with repositories: what stands before their names,
// and the password for https there, and only there; nil: none. User is the name that
// goes with it; empty: the one that fits the host.
type Connection struct {
	CloneURL string
	Token    func(ctx context.Context) (string, error)
	User     string
}

// user is the name that goes with the token.
func (c Connection) user() string {
	switch {
	case c.User != "":
		return c.User
	case strings.HasPrefix(c.CloneURL, "https://bitbucket.org/"):
		return "x-token-auth" // of access tokens; GitHub and GitLab take any
	}
	return "x-access-token"
}

// Source fetches revisions (as a runner) and looks at heads (as a source). It
// keeps nothing in memory; several may share a cache folder.
type Source struct {
	o          Options
	noCloneURL bool // CloneURL was not given
}

// New returns a source. See [Source.Check] for what can be wrong with a machine.
func New(o Options) *Source {
	noCloneURL := o.CloneURL == ""
	if noCloneURL {
		o.CloneURL = defaultURL
	}
	o.CloneURL = prefix(o.CloneURL)
	connections := make(map[string]Connection, len(o.Connections))
	for arn, c := range o.Connections {
		connections[arn] = Connection{prefix(c.CloneURL), c.Token, c.User}
	}
	o.Connections = connections
	hosts := map[string]Connection{Bitbucket: {CloneURL: "https://bitbucket.org/"}, GitLab: {CloneURL: "https://gitlab.com/"}}
	for provider, c := range o.Hosts {
		hosts[provider] = Connection{prefix(c.CloneURL), c.Token, c.User}
	}
	o.Hosts = hosts
	if dir, err := filepath.Abs(o.CacheDir); err == nil {
		o.CacheDir = dir
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	people := make(map[string]string, len(o.People))
	for login, mail := range o.People {
		people[strings.ToLower(login)] = mail
	}
	o.People = people
	return &Source{o: o, noCloneURL: noCloneURL}
}

// prefix is an address to which a repository's name can be appended.
func prefix(url string) string {
	if strings.HasSuffix(url, "/") || strings.HasSuffix(url, ":") {
		return url
	}
	return url + "/"
}

// Check says in one sentence why sources cannot be fetched here: no git.
func (s *Source) Check() error {
	_, err := binary()
	return err
}

// Start fetches the branch, checks that the pinned commit (none: the head) is
// on it, and packs its tree. A revision with AnyBranch may be anywhere in the
// repository: a trigger named it, or somebody who may start any. It ends the
// action at once, one way or the other.
func (s *Source) Start(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	if !t.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, t.Deadline)
		defer cancel()
	}
	o, err := s.fetch(ctx, t, w)
	if damaged(err) { // the copy is gone; what a fresh one lacks too, the repository lacks
		o, err = s.fetch(ctx, t, w)
	}
	if err == nil || ctx.Err() != nil || transient(err) {
		return o, err
	}
	why := reason(err)
	if r := t.Revision; why.Code == reasonUnavailable && r != nil && r.Branch != "" { // a change brought it, nobody asked for it
		why.Code = "Superseded"
		why.Message = fmt.Sprintf("commit %s is no longer on branch %s: a forced push replaced it before it was fetched; nothing is broken, and what replaced it starts by itself", r.RevisionID, r.Branch)
	}
	return work.Outcome{Task: t.ID, State: work.Failed, Error: why}, nil
}

// reason tells a configuration that cannot work, and a revision that is not
// there, from everything else.
func reason(err error) *workflows.Reason {
	why := &workflows.Reason{Code: "ActionFailed", Message: err.Error()}
	if p, ok := errors.AsType[*workflows.Problem](err); ok {
		why.Message = p.Error()
		switch p.Code {
		case workflows.CodeValidation:
			why.Code = "ConfigurationInvalid"
		case reasonUnavailable:
			why.Code = reasonUnavailable
		}
	}
	return why
}

func (s *Source) fetch(ctx context.Context, t work.Task, w work.Workspace) (o work.Outcome, err error) {
	p, err := s.remote(t.Action.ActionType.Provider, t.Configuration)
	if err != nil {
		return work.Outcome{}, err
	}
	log, err := w.Log()
	if err != nil {
		return work.Outcome{}, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	fmt.Fprintf(log, "fetching %s\n", p.wanted(t.Revision))

	c, err := s.open(ctx, p)
	if err != nil {
		return work.Outcome{}, err
	}
	defer func() { c.release(err) }()
	sha, branch, err := c.find(ctx, t.Revision)
	if err != nil {
		fmt.Fprintln(log, err)
		return work.Outcome{}, err
	}
	p.branch = branch
	commit, err := c.commit(ctx, sha)
	if err != nil {
		return work.Outcome{}, err
	}
	fmt.Fprintf(log, "commit %s by %s: %s\n", sha, commit.author.Name, commit.summary())
	artifacts, err := c.packArtifact(ctx, sha, t, w)
	if err != nil {
		fmt.Fprintln(log, err)
		return work.Outcome{}, err
	}
	for _, line := range c.notFetched(ctx, sha) {
		fmt.Fprintln(log, line)
	}
	action := t.Action
	action.Configuration = t.Configuration
	return work.Outcome{
		Task: t.ID, State: work.Succeeded, Summary: commit.summary(),
		ExternalID: sha, ExternalURL: p.commitURL(sha),
		Revision: commit.sourceRevision(t.Action.Name, p), Outputs: commit.outputs(&action, p), Artifacts: artifacts,
	}, nil
}

// packArtifact checks the commit's tree out into the run folder and stores it.
func (c *clone) packArtifact(ctx context.Context, sha string, t work.Task, w work.Workspace) ([]workflows.Artifact, error) {
	if len(t.Action.OutputArtifacts) == 0 {
		return nil, nil
	}
	tree := filepath.Join(w.Dir(), "tree")
	if err := c.checkout(ctx, sha, tree, filepath.Join(w.Dir(), "index")); err != nil {
		return nil, err
	}
	var out []workflows.Artifact
	for _, o := range t.Action.OutputArtifacts {
		a, err := w.Pack(o.Name, tree, o.Files)
		if err != nil {
			return nil, fmt.Errorf("store output artifact %q: %w", o.Name, err)
		}
		out = append(out, a)
	}
	if err := os.RemoveAll(tree); err != nil {
		return nil, fmt.Errorf("clear the run folder: %w", err)
	}
	return out, nil
}

// Poll fetches again: a fetch leaves nothing running behind.
func (s *Source) Poll(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return s.Start(ctx, t, w)
}

// Cancel has nothing to end: a fetch ends with its caller.
func (s *Source) Cancel(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, error) {
	return work.Outcome{Task: t.ID, State: work.Cancelled}, nil
}

// Find answers that a start whose answer was lost did not happen: fetching
// twice harms nobody.
func (s *Source) Find(ctx context.Context, t work.Task, w work.Workspace) (work.Outcome, bool, error) {
	return work.Outcome{}, false, nil
}

// Head returns the newest revision of the branch that the action follows. Who
// pushed it is not known from looking. A branch, repository or right that is
// missing is a *workflows.Problem.
func (s *Source) Head(ctx context.Context, f work.Followed) (work.Change, error) {
	a := f.Action
	p, err := s.remote(a.ActionType.Provider, a.Configuration)
	if err != nil {
		return work.Change{}, err
	}
	if err := s.prepare(); err != nil {
		return work.Change{}, err
	}
	ref := "refs/heads/" + p.branch
	out, err := s.git(ctx, p, call{remote: true, args: []string{"ls-remote", "--", p.url, ref}})
	if err != nil {
		return work.Change{}, p.explain("look at", err)
	}
	for line := range strings.Lines(out) {
		sha, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if name == ref && isCommit(sha) {
			return work.Change{
				Provider: p.provider, Event: "push", Repository: p.reportedName(), Branch: p.branch, Commit: sha, URL: p.commitURL(sha),
				By: workflows.Principal{ID: "git:poll", Name: "polling", Via: "git"},
			}, nil
		}
	}
	return work.Change{}, p.noBranch()
}
