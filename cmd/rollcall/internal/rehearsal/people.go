package rehearsal

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/machine"
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
	for _, name := range sortedKeys(d.mails) {
		if kind, _, ok := workflows.SplitWho(d.mails[name]); !ok || kind != workflows.WhoMail {
			f.add(root.get("people").get(name), quoted(d.mails[name])+" is not a mail address", "such as ana@acme.example")
		}
		if strings.ContainsAny(name, ":@/# ") || name == workflows.WhoEveryone || name == nobody {
			f.add(root.get("people").get(name), quoted(name)+" cannot be a short name", "use a word such as ana")
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
			switch kind, _, _ := workflows.SplitWho(e.key.text); kind {
			case workflows.WhoSlackGroup, workflows.WhoGitHubTeam:
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

func verbs(n *node) []workflows.Verb {
	var all []workflows.Verb
	for _, v := range n.texts() {
		all = append(all, workflows.Verb(v))
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
	for _, name := range sortedKeys(d.mails) {
		if strings.EqualFold(d.mails[name], mail) {
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
	return workflows.Principal{ID: "github:" + d.name(d.who(name)), Name: name, Via: "github"}
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

// standing says which of the expressions somebody counts for at a gate, as
// themself or as a deputy. github:LOGIN is somebody whose account is known to
// be theirs: here, by the short name.
func (d directory) standing(p workflows.Principal, who []string, here []string) map[string]bool {
	groups := map[string]map[string]bool{"": d.member(p)}
	for _, mail := range d.policy.StandsInFor(p) {
		groups[mail] = d.member(d.principal(mail))
	}
	in := d.policy.Standing(p, who, groups, here...)
	for _, w := range who {
		if login, ok := strings.CutPrefix(w, "github:"); ok {
			in[w] = login == d.name(p.Email)
		}
	}
	return in
}

// may judges a right.
func (d directory) may(p workflows.Principal, v workflows.Verb, pipeline, stage string) access.Verdict {
	return d.policy.Judge(p, v, access.Resource{Pipeline: pipeline, Stage: stage}, d.member(p))
}

// refusal checks the right that an intent needs, as the service does at its one
// door. An answer at a gate that names people needs none: that is decided with the gate.
func (w *world) refusal(by workflows.Principal, in *workflows.Intent) *workflows.Problem {
	stage := in.Stage
	switch in.Verb {
	case workflows.Approve, workflows.Reject:
		gate := w.openGate(in)
		_, token := by.Machine()
		if gate == nil || token || len(gate.From) > 0 {
			return nil
		}
	case workflows.Start:
		in.AnyRevision = len(in.Revisions) > 0 && !by.IsEngine() && w.may(by, workflows.StartAnyRevision, w.s.Name, "").Allowed
	case workflows.Enable:
		if in.Execution != "" && w.mayPass(by, in.Stage) {
			return nil
		}
	}
	if x, ok := w.row(in.Execution); ok && stage == "" {
		stage = present(x)
	}
	verdict := w.may(by, in.Verb, w.s.Name, stage)
	if verdict.Allowed {
		return nil
	}
	return &workflows.Problem{Code: workflows.CodeAccessDenied, Message: verdict.Reason, Hint: "ask " + strings.Join(verdict.Holders, ", ")}
}

// mayPass says whether the freezes that keep executions out of a stage name
// somebody as who may let one through.
func (w *world) mayPass(by workflows.Principal, stage string) bool {
	view := w.s.View()
	st, ok := view.Stage(stage)
	if !ok || !st.Transition.Enabled {
		return false
	}
	return slices.ContainsFunc(view.Freezes, func(f workflows.Freeze) bool {
		return f.At(w.at, w.s.Name, stage) && slices.ContainsFunc(f.MayPass, func(who string) bool { return w.matches(by, who) })
	})
}

// openGate finds the open gate that an answer is for; it fills in the stage.
func (w *world) openGate(in *workflows.Intent) *workflows.Approval {
	x, _ := w.row(in.Execution)
	for _, st := range x.Stages {
		for _, a := range st.Actions {
			if a.Needs == workflows.NeedsApproval && (in.Action == "" || in.Action == a.Name) && (in.Stage == "" || in.Stage == st.Name) {
				in.Stage = st.Name
				return a.Approval
			}
		}
	}
	return nil
}

// present is the stage that an execution is in, waits for, or ended in.
func present(x workflows.Execution) string {
	for _, st := range x.Stages {
		switch st.Status {
		case workflows.StatusSucceeded, workflows.StatusSkipped:
		case workflows.StatusNotStarted:
			if x.WaitsFor != nil {
				return x.WaitsFor.Stage
			}
			return ""
		default:
			return st.Name
		}
	}
	return ""
}

// lookUp answers what a decision asks for, beside the facts it has. people are
// all whom it has asked about so far: nobody stands in for those who are there.
func (w *world) lookUp(f machine.Facts, need *machine.NeedFacts, people []workflows.Principal) machine.Facts {
	if f.Members == nil {
		f = machine.Facts{Members: map[string]map[string]bool{}, May: map[string]bool{}, Executions: map[string]*workflows.Execution{}, Versions: map[int]*workflows.Pipeline{}}
	}
	var here []string
	for _, p := range people {
		here = append(here, p.Key())
	}
	for _, p := range people {
		if f.Members[p.Key()] == nil {
			f.Members[p.Key()] = map[string]bool{}
		}
		maps.Copy(f.Members[p.Key()], w.standing(p, need.Who, here))
	}
	for _, p := range need.People {
		if need.MayApprove != "" {
			f.May[p.Key()] = w.may(p, workflows.Approve, w.s.Name, need.MayApprove).Allowed
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
