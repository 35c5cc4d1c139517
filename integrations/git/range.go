package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	maxFileList = 16 << 20 // bytes of a list of changed files; a longer one is not known
	maxTrailers = 16 << 10 // bytes at the end of a commit text in which trailers are looked for
	maxListed   = 2500     // commits of a range that are listed; more are only counted
)

// Changed lists the files that differ between two commits, in git's order. The
// newer one is of the branch that the action follows, whatever became of it
// since. nil: not known, because one of them is gone, or the list too long.
func (s *Source) Changed(ctx context.Context, a workflows.Action, from, to string) (files []string, err error) {
	p, err := s.remote(a.ActionType.Provider, a.Configuration)
	if err != nil || !isCommit(from) || !isCommit(to) {
		return nil, err
	}
	c, err := s.open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { c.release(err) }()
	if !c.has(ctx, from) || !c.has(ctx, to) {
		err := c.fetchBranch(ctx)
		if _, final := errors.AsType[*workflows.Problem](err); err != nil && !final {
			return nil, err
		}
	}
	if lost, err := c.fetchMissing(ctx, from, to); err != nil || lost != "" {
		return nil, err
	}
	var list bounded
	list.left = maxFileList
	_, err = c.s.git(ctx, c.p, call{args: []string{"diff", "--name-only", "--no-renames", "-z", from, to}, env: []string{"GIT_DIR=" + c.dir}, lock: c.lock, out: &list})
	if err != nil || list.left == 0 {
		return nil, err
	}
	files = []string{}
	return append(files, strings.FieldsFunc(list.String(), func(r rune) bool { return r == 0 })...), nil
}

// Compare says what the newer commit of a range has and the older lacks, from
// the copy; a commit that is not in it is fetched. Without an older one it is all
// that the newer holds. Changes that are not Complete cannot be known, and say why.
func (s *Source) Compare(ctx context.Context, r work.Range) (out work.Changes, err error) {
	// Which branch they are of does not matter: both are named.
	p, err := s.remote(r.Provider, map[string]string{"Repository": r.Repository, "FullRepositoryId": r.Repository, "BranchName": "main"})
	if problem, final := errors.AsType[*workflows.Problem](err); final {
		return work.Changes{Why: problem.Message}, nil
	}
	if p.page == "" && s.o.WebURL != "" && p.provider == GitHub && p.at.CloneURL == s.o.CloneURL {
		p.page = prefix(s.o.WebURL) + p.repository
	}
	if r.From != "" && !isCommit(r.From) || !isCommit(r.To) {
		return work.Changes{Why: "they are no commits"}, err
	}
	c, err := s.open(ctx, p)
	if err != nil {
		return out, err
	}
	defer func() { c.release(err) }()
	ends := []string{r.From, r.To}
	if r.From == "" {
		ends = ends[1:]
	}
	if lost, err := c.fetchMissing(ctx, ends...); err != nil {
		return out, err
	} else if lost != "" {
		return work.Changes{Why: fmt.Sprintf("commit %.7s is no longer in %s", lost, p.repository)}, nil
	}
	if r.From == "" {
		return c.history(ctx, r.To)
	}
	undone, err := c.between(ctx, r.To, r.From)
	if err != nil {
		return out, err
	}
	added, err := c.between(ctx, r.From, r.To)
	if err != nil {
		return out, err
	}
	out = work.Changes{Complete: true, Count: len(added), Undone: len(undone), New: s.listed(added), Lost: s.listed(undone)}
	from, to := r.From, r.To
	if len(added) == 0 { // it goes back: hosts show what the newer one has
		from, to = to, from
	}
	out.CompareURL = source.Compare(p.page, from, to)
	s.credit(&out, added)
	return out, nil
}

// credit notes which commits are new, and who had a hand in them, each once.
func (s *Source) credit(out *work.Changes, added []part) {
	known := map[workflows.Author]bool{}
	for _, part := range added {
		out.Commits = append(out.Commits, part.ID)
		for _, who := range part.people {
			if mail := s.o.People[strings.ToLower(who.Login)]; mail != "" {
				who.Email = mail
			}
			if key := (workflows.Author{Email: strings.ToLower(who.Email), Login: who.Login}); !known[key] {
				known[key] = true
				out.Authors = append(out.Authors, who)
			}
		}
	}
}

// listed are the newest commits, with the login of those whose address the
// configuration knows.
func (s *Source) listed(all []part) []work.Commit {
	logins := make(map[string]string, len(s.o.People))
	for login, mail := range s.o.People {
		logins[strings.ToLower(mail)] = login
	}
	var list []work.Commit
	for _, p := range all[:min(len(all), maxListed)] {
		p.Author.Login = cmp.Or(p.Author.Login, logins[strings.ToLower(p.Author.Email)])
		list = append(list, p.Commit)
	}
	return list
}

// has says whether a commit is in the copy.
func (c *clone) has(ctx context.Context, sha string) bool {
	_, err := c.git(ctx, "cat-file", "-e", sha+"^{commit}")
	return err == nil
}

// fetchMissing fetches the commits that are not in the copy by their IDs, and returns
// one that is not to be had; empty: all are here. An error means that it could not ask.
func (c *clone) fetchMissing(ctx context.Context, commits ...string) (lost string, err error) {
	for _, sha := range commits {
		if c.has(ctx, sha) {
			continue
		}
		err := c.fetch(ctx, sha)
		if f, ok := errors.AsType[*failure](err); ok && f.cause == nil && refusesCommit().MatchString(f.text) {
			return sha, nil
		}
		if err != nil {
			return "", c.p.explain("fetch", err)
		}
		if !c.has(ctx, sha) {
			return sha, ctx.Err()
		}
	}
	return "", nil
}

// part is a commit of a range, and who had a hand in it.
type part struct {
	work.Commit
	people []workflows.Author
}

// list is git's list of commits, a child before its parents.
func (c *clone) list(ctx context.Context, args ...string) ([]part, error) {
	var parts []part
	record := fields{n: 7, take: func(f []string) { parts = append(parts, c.part(f, len(parts) < 2*maxListed)) }}
	err := c.stream(ctx, &record, append([]string{"log", "--topo-order", "--no-show-signature", "--no-notes", "--no-color", "--encoding=UTF-8",
		"--format=tformat:%H%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x00%P%x00"}, append(args, "--")...)...)
	return parts, err
}

// history is all that can be reached from a commit, of which the newest are listed.
func (c *clone) history(ctx context.Context, to string) (out work.Changes, err error) {
	count, err := c.git(ctx, "rev-list", "--count", to, "--")
	if err != nil {
		return out, err
	}
	parts, err := c.list(ctx, fmt.Sprint("--max-count=", maxListed), to)
	if err != nil {
		return out, err
	}
	out = work.Changes{Complete: true, New: c.s.listed(parts)}
	c.s.credit(&out, parts)
	_, err = fmt.Sscan(count, &out.Count)
	return out, err
}

// between lists the commits that can be reached from to and not from from. Where
// commits are dated before their parents git stops looking too early for what
// from can reach, and lists some of that too, never less than there is. So all
// that from can reach is taken out again.
func (c *clone) between(ctx context.Context, from, to string) ([]part, error) {
	parts, err := c.list(ctx, to, "^"+from)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	at := make(map[string]int, len(parts))
	for i, p := range parts {
		at[p.ID] = i
	}
	reached := lines{take: func(sha string) {
		if i, ok := at[sha]; ok {
			parts[i].ID = ""
		}
	}}
	if err := c.stream(ctx, &reached, "rev-list", from, "--"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(parts, func(p part) bool { return p.ID == "" }), nil
}

// part reads a commit of a list. One of very many is known by its ID alone.
func (c *clone) part(f []string, whole bool) part {
	p := part{Commit: work.Commit{ID: f[0]}, people: people(f[1:])}
	if !whole {
		return p
	}
	text := strings.ToValidUTF8(f[5][:min(len(f[5]), maxMessage)], "\uFFFD")
	summary, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	p.Summary, p.Mentions, p.Unsafe = words.CutBytes(clean.Line(summary), maxSummary), work.Mentions(text), work.SaysUnsafe(text)
	mail := clean.Line(f[2])
	p.Author = workflows.Author{Name: words.CutBytes(clean.Line(f[1]), maxName), Email: words.CutBytes(mail, maxName), Login: login(mail)}
	p.URL, p.Parents = c.p.commitURL(p.ID), strings.Fields(f[6])
	return p
}

// stream runs git on the copy and hands its answer on as it comes, however long.
func (c *clone) stream(ctx context.Context, to interface{ Write([]byte) (int, error) }, args ...string) error {
	_, err := c.s.git(ctx, c.p, call{args: args, env: []string{"GIT_DIR=" + c.dir}, lock: c.lock, out: to})
	return err
}

var coAuthor = compiled(`(?im)^[ \t]*co-authored-by[ \t]*:[ \t]*([^<\n]*?)[ \t]*<([^>\n]+)>`)

// people are who had a hand in a commit: author, committer, and who is named in
// its text as a co-author. GitHub, which commits what is merged in the browser, is nobody.
func people(f []string) []workflows.Author {
	var all []workflows.Author
	add := func(name, mail string) {
		mail = strings.TrimSpace(strings.ToValidUTF8(mail, "\uFFFD"))
		if mail == "" && name == "" || strings.EqualFold(mail, "noreply@github.com") {
			return
		}
		all = append(all, workflows.Author{Name: words.CutBytes(strings.ToValidUTF8(name, "\uFFFD"), maxName), Email: words.CutBytes(mail, maxName), Login: login(mail)})
	}
	add(f[0], f[1])
	add(f[2], f[3])
	text := f[4][max(0, len(f[4])-maxTrailers):]
	for _, m := range coAuthor().FindAllStringSubmatch(text, -1) {
		add(m[1], m[2])
	}
	return all
}

// login is the name at GitHub in an address that hides the real one:
// "7+ana@users.noreply.github.com".
func login(mail string) string {
	name, host, _ := strings.Cut(mail, "@")
	if !strings.HasPrefix(strings.ToLower(host), "users.noreply.") {
		return ""
	}
	if _, after, ok := strings.Cut(name, "+"); ok {
		name = after
	}
	return name
}

// lines hands on whole lines.
type lines struct {
	rest []byte
	take func(line string)
}

// Write takes any piece of the text.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		head, rest, whole := bytes.Cut(p, []byte("\n"))
		l.rest = append(l.rest, head...)
		if !whole {
			return n, nil
		}
		l.take(string(l.rest))
		l.rest, p = l.rest[:0], rest
	}
}

// fields hands on records of n fields, each of which ends with a zero byte.
type fields struct {
	n    int
	rest []byte
	all  []string
	take func(fields []string)
}

// Write takes any piece of the text.
func (f *fields) Write(p []byte) (int, error) {
	n := len(p)
	for {
		head, rest, whole := bytes.Cut(p, []byte{0})
		f.rest = append(f.rest, head...)
		if !whole {
			return n, nil
		}
		if len(f.all) == 0 {
			f.rest = bytes.TrimPrefix(f.rest, []byte("\n")) // the end of the record before
		}
		if f.all = append(f.all, string(f.rest)); len(f.all) == f.n {
			f.take(f.all)
			f.all = nil
		}
		f.rest, p = f.rest[:0], rest
	}
}
