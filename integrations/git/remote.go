package git

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// remote is a repository and a branch, checked.
type remote struct {
	provider   string // Git|GitHub|Bitbucket|GitLab, as changes name it
	url        string // what git is given
	repository string // as people name it: owner/name, URL or path
	full, name string // owner/name and name
	page       string // web page of the repository; empty: unknown
	branch     string
	at         Connection // where it is, with the token for it; zero: neither at CloneURL nor at a connection's
	connection bool       // named by a CodeStarSourceConnection
}

var (
	nameRule = compiled(`^[A-Za-z0-9_.-]+$`)
	// scpRule is git's short form of ssh: user@host:path.
	scpRule = compiled(`^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^-:][^:]*$`)
	// branchRule names what may not be in a branch (git check-ref-format).
	branchRule      = compiled(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./@]$|^[-./]|\.lock(/|$)|[./]$`)
	commitRule      = compiled(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	abbreviatedRule = compiled(`^[0-9a-f]{7,63}$`)
)

func isCommit(text string) bool { return commitRule().MatchString(text) }

// invalid is a refusal of a configuration.
func invalid(format string, args ...any) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// remote reads and checks an action's configuration.
func (s *Source) remote(provider string, configuration map[string]string) (remote, error) {
	p := remote{provider: GitHub, branch: configuration["BranchName"]}
	if p.branch == "" || branchRule().MatchString(p.branch) {
		return p, invalid("BranchName %q is no branch name", p.branch)
	}
	switch provider {
	case Git:
		p.provider, p.url = Git, configuration["Repository"]
		p.repository = p.url
	case GitHub, CodeStar:
		id := configuration["FullRepositoryId"]
		p.connection = provider == CodeStar
		if to, known := s.connectionOf(provider, id, configuration["ConnectionArn"]); known {
			return s.remoteAt(p, to, id)
		}
		owner, name, _ := strings.Cut(id, "/")
		if !isName(owner) || !isName(name) {
			return p, p.withConnectionHint(invalid("FullRepositoryId %q is not of the form owner/name", id))
		}
		if p.connection && s.noCloneURL {
			return p, p.withConnectionHint(invalid("where the connection of %s leads is not known here: it is not in aws.connections, and the configuration has no section github", id))
		}
		p.url, p.repository, p.at = s.o.CloneURL+id+".git", id, Connection{CloneURL: s.o.CloneURL, Token: s.o.Token}
	case Bitbucket, GitLab:
		id := bareName(configuration["FullRepositoryId"])
		if !isNested(id, provider) {
			return p, invalid("FullRepositoryId %q is not of the form owner/name", id)
		}
		p.provider, p.repository, p.at = provider, id, s.o.Hosts[provider]
		p.url = p.at.CloneURL + id + ".git"
	default:
		return p, invalid("provider %q is none of Git, GitHub, Bitbucket, GitLab, CodeStarSourceConnection", provider)
	}
	if err := p.parse(s.o.AllowFileURLs); err != nil {
		return p, err
	}
	if p.at.CloneURL != "" {
		p.full = p.repository
	}
	p.name = path.Base(p.full)
	return p, nil
}

// connectionOf says where a connection leads that the configuration knows: by its ARN,
// or, where only the repository is known, by its address.
func (s *Source) connectionOf(provider, repository, arn string) (Connection, bool) {
	if provider != CodeStar {
		return Connection{}, false
	}
	if to, known := s.o.Connections[arn]; known || arn != "" {
		return to, known
	}
	for _, to := range s.o.Connections {
		if strings.HasPrefix(repository, to.CloneURL) {
			return to, true
		}
	}
	return Connection{}, false
}

// Key names what a source action follows: one name at two connections is two
// repositories, each of which is looked at for itself.
func (s *Source) Key(f work.Followed) string {
	a := f.Action
	repository := cmp.Or(a.Configuration["FullRepositoryId"], a.Configuration["Repository"])
	if to, known := s.connectionOf(a.ActionType.Provider, repository, a.Configuration["ConnectionArn"]); known {
		repository = to.CloneURL + repository
	} else if at, ok := s.o.Hosts[a.ActionType.Provider]; ok {
		repository = at.CloneURL + repository
	}
	return repository + "|" + a.Configuration["BranchName"]
}

// remoteAt places a repository at a connection of its own. It is called by its
// address: the same name at GitHub is another one. Names may have several parts.
func (s *Source) remoteAt(p remote, to Connection, id string) (remote, error) {
	id = bareName(strings.TrimPrefix(id, to.CloneURL))
	for part := range strings.SplitSeq(id, "/") {
		if !isName(part) || !strings.Contains(id, "/") {
			return p, invalid("FullRepositoryId %q is not of the form owner/name", id)
		}
	}
	p.url, p.at = to.CloneURL+id+".git", to
	if err := p.parse(s.o.AllowFileURLs); err != nil {
		return p, err
	}
	p.repository, p.full, p.name = to.CloneURL+id, id, path.Base(id)
	p.connection = false // where it leads is known
	return p, nil
}

// reportedName is the repository as changes of it name it, and as definitions do.
func (p remote) reportedName() string {
	if p.at.CloneURL != "" {
		return p.full
	}
	return p.repository
}

// withConnectionHint adds to a refusal what to do when a connection is not one to GitHub:
// its ARN does not say, and the same name there may be somebody else's repository.
func (p remote) withConnectionHint(refusal *workflows.Problem) *workflows.Problem {
	if p.connection {
		refusal.Hint = "say in aws.connections where it leads, or write provider: Git with the repository's address; one to GitHub needs the section github and its token"
	}
	return refusal
}

// isNested says whether a text is the name of a repository at Bitbucket (two parts, the
// first of which may be a person's) or at GitLab (two or more).
func isNested(id, provider string) bool {
	parts := strings.Split(id, "/")
	if provider == Bitbucket {
		parts[0] = strings.TrimPrefix(parts[0], "~")
	}
	for _, part := range parts {
		if !isName(part) {
			return false
		}
	}
	return len(parts) == 2 || provider == GitLab && len(parts) > 2
}

func isName(s string) bool { return nameRule().MatchString(s) && s != "." && s != ".." }

// parse checks the URL and derives names from it. Only https and ssh are
// spoken, unless files are allowed.
func (p *remote) parse(files bool) error {
	if p.url == "" {
		return invalid("Repository is missing")
	}
	if message, hint := source.Fault(p.url); message != "" {
		return &workflows.Problem{Code: workflows.CodeValidation, Message: message, Hint: hint}
	}
	if strings.HasPrefix(p.url, "-") || strings.ContainsFunc(p.url, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("repository %q is no URL", p.url)
	}
	if strings.Contains(p.url, "://") {
		return p.parseURL(files)
	}
	if colon := strings.IndexByte(p.url, ':'); colon >= 0 && !strings.Contains(p.url[:colon], "/") {
		if !scpRule().MatchString(p.url) {
			return invalid("repository %q is no URL; use https or ssh", p.url)
		}
		p.full, p.page = bareName(p.url[colon+1:]), source.Page(p.url)
		return nil
	}
	if !files {
		return notAllowed(p.url)
	}
	abs, err := filepath.Abs(p.url)
	if err != nil {
		return invalid("repository %q is no path: %v", p.url, err)
	}
	p.url, p.full = abs, path.Base(bareName(abs))
	return nil
}

func (p *remote) parseURL(files bool) error {
	u, err := url.Parse(p.url)
	if err != nil {
		return invalid("the repository is no URL") // the parser quotes the URL, which may hold a password
	}
	switch {
	case u.Scheme == "https" && u.Hostname() != "":
		p.page = source.Page(p.url)
	case u.Scheme == "ssh" && u.Hostname() != "":
		if strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") {
			return invalid("repository %q is no URL", p.url)
		}
		p.page = source.Page(p.url)
	case u.Scheme == "file" && u.Host == "" && files:
		p.full = path.Base(bareName(u.Path))
		return nil
	default:
		return notAllowed(p.url)
	}
	p.full = bareName(u.Path)
	return nil
}

func notAllowed(where string) *workflows.Problem {
	p := invalid("repository %q is neither https nor ssh", where)
	p.Hint = "files and paths need sources.allowFileURLs in the configuration"
	return p
}

// bareName is the path of a repository as people say it.
func bareName(p string) string {
	return strings.TrimSuffix(strings.Trim(p, "/"), ".git")
}

// commitURL is the web page of a commit, where one can be known.
func (p remote) commitURL(sha string) string {
	return source.Commit(p.page, sha)
}

// wanted says what is about to be fetched.
func (p remote) wanted(r *workflows.SourceRevision) string {
	if r == nil || r.RevisionID == "" {
		return fmt.Sprintf("branch %s of %s", p.branch, p.url)
	}
	if r.AnyBranch && r.Branch != p.branch {
		return fmt.Sprintf("commit %s of %s, from any branch", r.RevisionID, p.url)
	}
	return fmt.Sprintf("commit %s on branch %s of %s", r.RevisionID, p.branch, p.url)
}

func (p remote) noBranch() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeConflict, Message: fmt.Sprintf("%s has no branch %q", p.repository, p.branch)}
}
