package rehearsal

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// directory is who there is in a test file, and who may what: the part of the
// service's configuration, and of the chat workspace, that decisions depend on.
type directory struct {
	mails   map[string]string // by short name
	policy  access.Policy
	outside map[string][]string // members of slack-group:… and github-team:…, as who-expressions
}

// readDirectory reads people, groups and access of a file.
func readDirectory(root *node, f *faults) directory {
	d := directory{mails: root.get("people").table(), outside: map[string][]string{}}
	for _, name := range words.Keys(d.mails) {
		if kind, _, ok := subject.Split(d.mails[name]); !ok || kind != subject.Mail {
			f.add(root.get("people").get(name), words.Quoted(d.mails[name])+" is not a mail address", "such as ana@acme.example")
		}
		if strings.ContainsAny(name, ":@/# ") || name == subject.Everyone || name == nobody {
			f.add(root.get("people").get(name), words.Quoted(name)+" cannot be a short name", "use a word such as ana")
		}
	}
	a := root.get("access")
	d.policy = access.Policy{
		Admins: d.whos(a.get("admins")), Groups: map[string][]string{}, Deputies: map[string]string{}, Tokens: map[string][]workflows.Verb{},
		AllowAll: a == nil || a.str("allowAll") == "true",
	}
	if groups := root.get("groups"); groups != nil {
		for _, e := range groups.entries {
			name := strings.TrimPrefix(e.key.text, "group:")
			switch kind, _, _ := subject.Split(e.key.text); kind {
			case subject.SlackGroup, subject.GitHubTeam:
				d.outside[e.key.text] = d.whos(e.value)
			default:
				d.policy.Groups[name] = d.whos(e.value)
			}
		}
	}
	if a == nil {
		return d
	}
	for name, stands := range a.get("deputies").table() {
		d.policy.Deputies[d.who(name)] = d.who(stands)
	}
	if tokens := a.get("tokens"); tokens != nil {
		for _, e := range tokens.entries {
			d.policy.Tokens[e.key.text] = verbs(e.value)
		}
	}
	if rules := a.get("rules"); rules != nil {
		for _, r := range rules.items {
			d.policy.Rules = append(d.policy.Rules, access.Rule{Allow: verbs(r.get("allow")), To: d.whos(r.get("to")), On: r.get("on").texts()})
		}
	}
	for _, p := range d.policy.Check() {
		f.add(find(root, p.Path), p.Message, p.Hint)
	}
	return d
}

// find leads the path of a fault in rollcall.yaml to its place in a test file.
func find(root *node, path []string) *node {
	at := root
	switch {
	case len(path) > 1 && path[1] == "groups":
	case len(path) > 0 && path[0] == "admins":
		at = root.get("access")
	case len(path) > 0:
		at, path = root.get("access"), path[1:]
	}
	if at == nil {
		return root
	}
	for _, step := range path {
		next := at.get(step)
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(at.items) {
			next = at.items[i]
		}
		if next != nil {
			at = next
		}
	}
	return at
}

// verbOf is the verb of that name, or of CodePipeline's: disable is lock.
func verbOf(name string) (v workflows.Verb) {
	_ = v.UnmarshalText([]byte(name)) // never fails
	return v
}

func verbs(n *node) []workflows.Verb {
	var all []workflows.Verb
	for _, text := range n.texts() {
		all = append(all, verbOf(text))
	}
	return all
}

// who is a who-expression with short names written out.
func (d directory) who(text string) string {
	if mail, ok := d.mails[text]; ok {
		return mail
	}
	return text
}

func (d directory) whos(n *node) []string {
	var all []string
	for _, w := range n.texts() {
		all = append(all, d.who(w))
	}
	return all
}

// name is the short name of a mail address, or the address.
func (d directory) name(mail string) string {
	for _, name := range words.Keys(d.mails) {
		if (workflows.Principal{Email: mail}).HasMail(d.mails[name]) {
			return name
		}
	}
	return mail
}

// principal is somebody as the chat, or the API, knows them.
func (d directory) principal(name string) workflows.Principal {
	if token, ok := strings.CutPrefix(name, "token:"); ok {
		return workflows.Principal{ID: name, Name: token, Via: "api"}
	}
	mail := d.who(name)
	return workflows.Principal{ID: "slack:" + strings.ToUpper(d.name(mail)), Name: d.name(mail), Email: mail, Via: "slack"}
}

// pusher is somebody as a repository's host knows them. That gives no rights.
func (d directory) pusher(name, provider string) workflows.Principal {
	switch {
	case name == "":
		return workflows.Principal{ID: "git:somebody", Name: "somebody", Via: "git"}
	case provider == "Git":
		return workflows.Principal{ID: "git:" + d.who(name), Name: name, Via: "git"}
	}
	host := "github"
	if provider == "Bitbucket" || provider == "GitLab" {
		host = strings.ToLower(provider)
	}
	return workflows.Principal{ID: host + ":" + d.name(d.who(name)), Name: name, Via: host}
}

// author is who wrote a commit; nil: nobody is named.
func (d directory) author(name string) *workflows.Author {
	if name == "" {
		return nil
	}
	a := workflows.Author{Name: name, Login: d.name(d.who(name))}
	if strings.Contains(d.who(name), "@") {
		a.Email = d.who(name)
	}
	return &a
}

// member says in which of the outside groups somebody is.
func (d directory) member(p workflows.Principal) map[string]bool {
	in := map[string]bool{}
	for group, members := range d.outside {
		in[group] = slices.ContainsFunc(members, func(w string) bool { return d.policy.Matches(p, w, nil) })
	}
	return in
}

// matches says whether a who-expression means somebody.
func (d directory) matches(p workflows.Principal, who string) bool {
	return d.policy.Matches(p, who, d.member(p))
}

// known answers what a question of access depends on. Everybody in a test file
// is a full member.
func (d directory) known(p workflows.Principal, ask func(access.Facts) access.Open) {
	for known := (access.Facts{}); ; {
		open := ask(known)
		if len(open.Lookups) == 0 {
			return
		}
		for _, l := range open.Lookups {
			known[l] = access.No
			who := p
			if l.As != "" {
				who = d.principal(l.As)
			}
			if l.Group == "" || d.matches(who, l.Group) {
				known[l] = access.Yes
			}
		}
	}
}

// right answers a question of access.
func (d directory) right(q access.Question) (a access.Answer) {
	d.known(q.By, func(known access.Facts) access.Open {
		a = d.policy.Ask(q, known)
		return a.Open
	})
	return a
}

// count says for which of the expressions somebody counts at a gate. github:LOGIN
// is somebody whose account is known to be theirs: here, by the short name.
func (d directory) count(c access.Count) (in map[string]bool) {
	d.known(c.By, func(known access.Facts) (open access.Open) {
		in, open = d.policy.Count(c, known)
		return open
	})
	for _, w := range c.Who {
		if login, ok := strings.CutPrefix(w, "github:"); ok {
			in[w] = login == d.name(c.By.Email)
		}
	}
	return in
}

// refusal asks what the service asks when an intent arrives.
func (w *simulation) refusal(by workflows.Principal, in *workflows.Intent) *workflows.Problem {
	view := w.s.View()
	q := access.About(*in, by, w.concerned(in), &view, w.at)
	*in = q.Intent
	if q.AtGate {
		return nil
	}
	a := w.right(q)
	if q.Beyond != "" {
		in.AnyRevision = a.Beyond
	}
	return a.Refusal()
}

// concerned is the execution that an intent is about; nil: none.
func (w *simulation) concerned(in *workflows.Intent) *workflows.Execution {
	if x, ok := w.row(in.Execution); ok {
		return &x
	}
	return nil
}

// lookUp answers what a decision asks for, beside the facts it has. people are
// all whom it has asked about so far: nobody stands in for those who are there.
func (w *simulation) lookUp(f machine.Facts, need *machine.NeedFacts, people []workflows.Principal) machine.Facts {
	if f.Members == nil {
		f = machine.Facts{Members: map[string]map[string]bool{}, May: map[string]bool{}, Executions: map[string]*workflows.Execution{}, Versions: map[int]*workflows.Pipeline{}, Changes: map[work.Range]work.Changes{}}
	}
	for _, r := range need.Changes {
		f.Changes[r] = work.Changes{Why: "a rehearsal has no repository"}
	}
	var here []string
	for _, p := range people {
		here = append(here, p.Key())
	}
	for _, p := range people {
		if f.Members[p.Key()] == nil {
			f.Members[p.Key()] = map[string]bool{}
		}
		maps.Copy(f.Members[p.Key()], w.count(access.Count{By: p, Who: need.Who, Gate: need.Gate, Here: here}))
	}
	for _, p := range need.People {
		if need.MayApprove != "" {
			f.May[p.Key()] = w.right(access.Right(p, workflows.Approve, access.Resource{Pipeline: w.s.Name, Stage: need.MayApprove})).Allowed
		}
	}
	for _, id := range need.Executions {
		f.Executions[id] = w.archive[id]
	}
	for _, v := range need.Versions {
		f.Versions[v] = w.versions[v]
	}
	return f
}
