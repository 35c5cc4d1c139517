package git

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// place is a repository and a branch, checked.
type place struct {
	provider   string // Git|GitHub, as changes name it
	url        string // what git is given
	repository string // as people name it: owner/name, URL or path
	full, name string // owner/name and name
	page       string // web page of the repository; empty: unknown
	branch     string
	ours       bool // at CloneURL: the token is for it
}

var (
	nameRule = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	// scpRule is git's short form of ssh: user@host:path.
	scpRule = regexp.MustCompile(`^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^-:][^:]*$`)
	// branchRule names what may not be in a branch (git check-ref-format).
	branchRule = regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./@]$|^[-./]|\.lock(/|$)|[./]$`)
	commitRule = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
)

func isCommit(text string) bool { return commitRule.MatchString(text) }

// invalid is a refusal of a configuration.
func invalid(format string, args ...any) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// place reads and checks an action's configuration.
func (s *Source) place(provider string, configuration map[string]string) (place, error) {
	p := place{provider: GitHub, branch: configuration["BranchName"]}
	if p.branch == "" || branchRule.MatchString(p.branch) {
		return p, invalid("BranchName %q is no branch name", p.branch)
	}
	switch provider {
	case Git:
		p.provider, p.url = Git, configuration["Repository"]
		p.repository = p.url
	case GitHub, CodeStar:
		id := configuration["FullRepositoryId"]
		owner, name, _ := strings.Cut(id, "/")
		if !isName(owner) || !isName(name) {
			return p, invalid("FullRepositoryId %q is not of the form owner/name", id)
		}
		p.url, p.repository, p.ours = s.o.CloneURL+id+".git", id, true
	default:
		return p, invalid("provider %q is none of Git, GitHub, CodeStarSourceConnection", provider)
	}
	if err := p.locate(s.o.AllowFileURLs); err != nil {
		return p, err
	}
	if p.ours {
		p.full = p.repository
	}
	p.name = path.Base(p.full)
	return p, nil
}

func isName(s string) bool { return nameRule.MatchString(s) && s != "." && s != ".." }

// locate checks the URL and derives names from it. Only https and ssh are
// spoken, unless files are allowed.
func (p *place) locate(files bool) error {
	if p.url == "" {
		return invalid("Repository is missing")
	}
	if strings.HasPrefix(p.url, "-") || strings.ContainsFunc(p.url, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("repository %q is no URL", p.url)
	}
	if strings.Contains(p.url, "://") {
		return p.locateURL(files)
	}
	if colon := strings.IndexByte(p.url, ':'); colon >= 0 && !strings.Contains(p.url[:colon], "/") {
		if !scpRule.MatchString(p.url) {
			return invalid("repository %q is no URL; use https or ssh", p.url)
		}
		p.full = bareName(p.url[colon+1:])
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

func (p *place) locateURL(files bool) error {
	u, err := url.Parse(p.url)
	if err != nil {
		return invalid("the repository is no URL") // the parser quotes the URL, which may hold a password
	}
	password, hasPassword := "", false
	if u.User != nil {
		password, hasPassword = u.User.Password()
	}
	switch {
	case hasPassword || password != "" || u.User != nil && u.Scheme != "ssh":
		return invalid("the repository URL of host %s holds a user name or password; URLs are shown to people, so configure a token instead", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return invalid("repository %q has a query or a fragment; leave it away", p.url)
	case u.Scheme == "https" && u.Hostname() != "":
		p.page = strings.TrimSuffix(strings.TrimSuffix(p.url, "/"), ".git")
		if strings.Count(strings.Trim(u.Path, "/"), "/") < 1 {
			p.page = ""
		}
	case u.Scheme == "ssh" && u.Hostname() != "":
		if strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") {
			return invalid("repository %q is no URL", p.url)
		}
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
func (p place) commitURL(sha string) string {
	if p.page == "" {
		return ""
	}
	return p.page + "/commit/" + sha
}

// wanted says what is about to be fetched.
func (p place) wanted(r *workflows.SourceRevision) string {
	if r == nil || r.RevisionID == "" {
		return fmt.Sprintf("branch %s of %s", p.branch, p.url)
	}
	if r.AnyBranch && r.Branch != p.branch {
		return fmt.Sprintf("commit %s of %s, from any branch", r.RevisionID, p.url)
	}
	return fmt.Sprintf("commit %s on branch %s of %s", r.RevisionID, p.branch, p.url)
}

func (p place) noBranch() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeConflict, Message: fmt.Sprintf("%s has no branch %q", p.repository, p.branch)}
}
