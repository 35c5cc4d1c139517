package app

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// quiet mends what passes, and of what does not what it is told to, waits as
// long as people may have to wait, and judges.
func (w *vendorsFixture) quiet(slack, jira, github bool) {
	w.logf("a quiet time; mended: slack %v, jira %v, github %v", slack, jira, github)
	for _, v := range []struct {
		l    *line
		mend bool
	}{{&w.slack, slack}, {&w.jira, jira}, {&w.github, github}} {
		_, mending := v.l.stands()
		if v.mend {
			mending = ""
		}
		v.l.set("", mending)
	}
	w.process.fuse.Store(0)
	w.alive()
	time.Sleep(mended)
	synctest.Wait()
	// Whether a create whose answer was lost has made a ticket, Jira's search says
	// only after a minute: better late than twice. Until then the card may not know
	// it either; then it must.
	unsure := w.unsure()
	w.judge(unsure)
	time.Sleep(mended)
	synctest.Wait()
	if unsure {
		w.judge(false)
		return
	}
	for _, name := range []string{"shop", "site"} {
		for _, e := range w.executions(name) {
			w.judgeTicket(&e, true)
		}
	}
}

// judge looks at everything; unsure: what is said of tickets may come later.
func (w *vendorsFixture) judge(unsure bool) {
	defer w.twins()()
	for _, name := range []string{"shop", "site"} {
		for _, e := range w.executions(name) {
			w.judgeAPI(&e)
			w.judgeChat(&e, unsure)
			w.judgeTicket(&e, !unsure)
		}
	}
	w.judgeOnce()
	w.judgeStatuses()
	w.judgeDeployments()
}

// wrong fails the story.
func (w *vendorsFixture) wrong(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%s after everything that is mended was: "+format, append([]any{mended}, args...)...)
}

// message is the newest of a kind whose metadata name what; ok is false when there is none.
func (w *vendorsFixture) message(chat *slackfake.Server, kind, what string) (found slackfake.Message, ok bool) {
	for _, channel := range []string{"#shop", "#site", "#ops"} {
		for _, top := range chat.Messages(channel) {
			for _, m := range append([]slackfake.Message{top}, chat.Thread(channel, top.TS)...) {
				if m.Metadata != nil && m.Metadata.Type == kind && strings.Contains(string(m.Metadata.Payload), what) {
					found, ok = m, true
				}
			}
		}
	}
	return found, ok
}

// judgeChat: whatever waits for a person is in the channel, with buttons exactly
// as long as it waits; where Slack refuses the channel, somebody is told
// elsewhere, and where it refuses everything the API says so.
func (w *vendorsFixture) judgeChat(e *workflows.Execution, unsure bool) {
	_, mending := w.slack.stands()
	switch {
	case mending == "missing_scope", mending == "invalid_auth":
		w.unseen(e, false)
		return
	case mending != "" && e.Pipeline == "shop":
		w.unseen(e, true)
		return
	}
	plain := inWordsAlone(e)
	card, ok := w.message(w.chat, "rollcall_execution", e.ID)
	if twin, there := w.message(w.chatTwin, "rollcall_execution", e.ID); !ok && there {
		w.wrong("%s has no card", e.Ref())
	} else if exceptTicket(shows(w.chat, card, plain), unsure) != exceptTicket(shows(w.chatTwin, twin, plain), unsure) {
		w.wrong("the card of %s shows\n%s\n\ninstead of\n%s", e.Ref(), shows(w.chat, card, plain), shows(w.chatTwin, twin, plain))
	}
	for _, s := range e.Stages {
		for _, a := range s.Actions {
			if a.Approval != nil && a.Approval.Token != "" {
				w.judgeGate(e, a.Approval, plain)
			}
		}
	}
	if _, told := w.message(w.chat, "rollcall_failure", e.ID); w.failed(e) && !told {
		w.wrong("nobody is told that %s failed", e.Ref())
	}
}

func (w *vendorsFixture) judgeGate(e *workflows.Execution, g *workflows.Approval, plain bool) {
	m, ok := w.message(w.chat, "rollcall_gate", g.Token)
	twin, _ := w.message(w.chatTwin, "rollcall_gate", g.Token)
	said := map[string]string{"approved": "pproved by", "rejected": "Rejected by", "expired": "Expired", "": "is waiting for approval"}[g.Closed]
	switch isOpen := g.Closed == ""; {
	case !ok && isOpen:
		w.wrong("nobody is asked about %s", e.Ref())
	case ok && !plain && pressable(m, "approve") != isOpen:
		w.wrong("the gate of %s is open: %v, and has buttons: %v", e.Ref(), isOpen, !isOpen)
	case ok && !strings.Contains(m.Text, said):
		w.wrong("the gate of %s is %q and shows %q", e.Ref(), g.Closed, m.Text)
	case isOpen && shows(w.chat, m, plain) != shows(w.chatTwin, twin, plain):
		w.wrong("the gate of %s shows\n%s\n\ninstead of\n%s", e.Ref(), shows(w.chat, m, plain), shows(w.chatTwin, twin, plain))
	}
}

// inWordsAlone says whether Slack refuses the blocks of an execution's messages for good.
func inWordsAlone(e *workflows.Execution) bool {
	return len(e.SourceRevisions) > 0 && strings.Contains(e.SourceRevisions[0].RevisionSummary, unprintable)
}

// shows is what people read in a message; plain: in its words alone. Who did
// something is named in a new message and mentioned in an edited one (U26),
// which says the same.
func shows(chat *slackfake.Server, m slackfake.Message, plain bool) string {
	if plain {
		return m.Text
	}
	return m.Text + "\n" + strings.ReplaceAll(chat.Rendered(m), "@", "")
}

var ticketLine = regexp.MustCompile(`(?m)^.*Ticket: .*\n?`)

// exceptTicket leaves out what a card says of the ticket.
func exceptTicket(text string, unsure bool) string {
	if unsure {
		return ticketLine.ReplaceAllString(text, "")
	}
	return text
}

// failed says whether an execution has failed, which is not that somebody did not approve it.
func (w *vendorsFixture) failed(e *workflows.Execution) bool {
	return e.Status == workflows.StatusFailed && e.StatusReason != nil && e.StatusReason.Code != "NotApproved" && e.StatusReason.Code != "ApprovalExpired"
}

// unseen judges what Slack refuses: the API says so of everything that waits
// for a person, and the owners, or the service's channel, where they can be reached.
func (w *vendorsFixture) unseen(e *workflows.Execution, reachable bool) {
	words := map[bool]string{true: "failed"}[w.failed(e)]
	card, _ := w.message(w.chat, "rollcall_execution", e.ID)
	for _, o := range waitsFor(e) {
		m, there := w.message(w.chat, "rollcall_gate", o.gate)
		switch { // what was asked before that is seen
		case o.needs == workflows.NeedsApproval && !(there && (inWordsAlone(e) || pressable(m, "approve"))):
			words = "waiting for approval"
		case o.needs == workflows.NeedsResolve && !strings.Contains(card.Text, "result unknown"):
			words = "is unknown"
		}
	}
	if _, told := w.message(w.chat, "rollcall_failure", e.ID); words == "" || words == "failed" && told {
		return
	}
	var seen workflows.Execution
	if w.get("/api/v1/executions/"+e.ID, &seen); seen.Undelivered == "" {
		w.wrong("the API does not say that %s is not shown in chat, which %s", e.Ref(), words)
	}
	if !reachable {
		return
	}
	var all []string
	for _, m := range append(w.chat.Direct("UANA"), w.chat.Messages("#ops")...) {
		if strings.Contains(m.Text, e.Ref()+"*") && strings.Contains(m.Text, words) {
			return
		}
		all = append(all, m.Text)
	}
	w.wrong("no owner is told that %s %s; they read %q", e.Ref(), words, all)
}

// judgeAPI: what waits for a person is in the API.
func (w *vendorsFixture) judgeAPI(e *workflows.Execution) {
	for _, o := range waitsFor(e) {
		if o.gate == "" {
			continue
		}
		var all struct {
			Approvals []say.OpenApproval `json:"approvals"`
		}
		w.get("/api/v1/approvals", &all)
		found := false
		for _, a := range all.Approvals {
			found = found || a.Approval.Token == o.gate
		}
		if !found {
			w.wrong("the API does not list the approval of %s", e.Ref())
		}
	}
}

func (w *vendorsFixture) get(path string, into any) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+apiSecret)
	rec := httptest.NewRecorder()
	w.process.api.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
	}
	w.must(json.Unmarshal(rec.Body.Bytes(), into))
}

// judgeTicket: a failure in production has a ticket, unless Jira refuses it for
// good; then the execution says why.
func (w *vendorsFixture) judgeTicket(e *workflows.Execution, surely bool) {
	if !w.failed(e) {
		return
	}
	var note workflows.Note
	for _, n := range e.Notes {
		if n.Name == "ticket" {
			note = n
		}
	}
	_, key, _ := strings.Cut(note.URL, "/browse/")
	_, there := w.tracker.Issue(key)
	_, mending := w.jira.stands()
	bad := strings.Contains(string(must(json.Marshal(e))), unspeakable)
	switch {
	case note.State == "done" && there, bad && note.State == "refused" && strings.Contains(note.Text, unspeakable):
	case note.State == "waiting" && (mending != "" || !surely):
	default:
		w.wrong("the ticket of %s is %+v, and there: %v", e.Ref(), note, there)
	}
}

// unsure says whether Jira may have made a ticket a moment ago without our hearing of it.
func (w *vendorsFixture) unsure() bool {
	w.jira.mu.Lock()
	defer w.jira.mu.Unlock()
	return time.Since(w.jira.lost) < 2*mended
}

// anchors is what changes in a card's metadata from edit to edit.
var anchors = regexp.MustCompile(`,?"(record|hash|at)":("[^"]*"|[0-9]+)`)

// judgeOnce: nothing is said twice, to nobody.
func (w *vendorsFixture) judgeOnce() {
	said := map[string]int{}
	for _, channel := range []string{"#shop", "#site", "#ops"} {
		for _, m := range w.chat.Messages(channel) {
			if m.Metadata != nil {
				said[m.Metadata.Type+" "+anchors.ReplaceAllString(string(m.Metadata.Payload), "")]++
			}
		}
	}
	for _, i := range w.tracker.Issues() {
		for _, l := range i.Labels {
			if l != "rollcall" {
				said["ticket "+l]++
			}
		}
		for _, c := range i.Comments {
			said["comment on "+i.Key+": "+c]++
		}
	}
	for what, n := range said {
		if n > 1 {
			w.wrong("%d times: %s", n, what)
		}
	}
}

// judgeStatuses: GitHub shows of each commit what is true of the newest
// execution with it, unless it refuses that commit for good.
func (w *vendorsFixture) judgeStatuses() {
	if _, mending := w.github.stands(); mending != "" {
		return
	}
	for _, st := range w.hubTwin.Statuses("") {
		want, _ := w.hubTwin.Latest(st.SHA, st.Context)
		now, _ := w.hub.Latest(st.SHA, st.Context)
		if !strings.HasPrefix(st.SHA, unwelcome) && (now.State != want.State || now.Description != want.Description) {
			w.wrong("%s of %s at GitHub is %s %q, and not %s %q", st.Context, st.SHA[:7], now.State, now.Description, want.State, want.Description)
		}
	}
}

// judgeDeployments: what was deployed is on GitHub once, and has ended there when
// its stage has.
func (w *vendorsFixture) judgeDeployments() {
	if _, mending := w.github.stands(); mending != "" {
		return
	}
	seen := map[string]githubfake.Deployment{}
	for _, d := range w.hub.Deployments() {
		var p struct{ Execution, Stage string }
		w.must(json.Unmarshal(d.Payload, &p))
		if _, twice := seen[p.Execution]; twice || p.Stage != "Production" || d.Environment != "production" {
			w.wrong("GitHub has another deployment of %+v: %+v", p, d)
		}
		seen[p.Execution] = d
	}
	for _, name := range []string{"shop", "site"} {
		for _, e := range w.executions(name) {
			s, entered := e.Stage("Production")
			if d, ok := seen[e.ID]; ok && entered {
				ended := s.Status.Final() || e.Status.Final()
				if success := d.State() == "success"; success != (s.Status == workflows.StatusSucceeded) || ended != slices.Contains([]string{"success", "failure", "error", "inactive"}, d.State()) {
					w.wrong("Production of %s is %s, of an execution that is %s, and its deployment is %q", e.Ref(), s.Status, e.Status, d.State())
				}
			} else if s.Status == workflows.StatusSucceeded && w.github.wasWell() {
				w.wrong("%s has no deployment", e.Ref())
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// came sums a story up.
func (w *vendorsFixture) came() (c came) {
	h := sha256.New()
	for _, l := range w.lines {
		_, about, _ := strings.Cut(strings.TrimSpace(l), "  ")
		fmt.Fprintln(h, about)
	}
	for _, name := range []string{"#shop", "#site", "#ops"} {
		for _, m := range w.chat.Messages(name) {
			c.Messages++
			fmt.Fprintln(h, name, strings.Split(m.Text, "<!date")[0])
		}
	}
	for _, i := range w.tracker.Issues() {
		c.Tickets++
		fmt.Fprintln(h, i.Key, i.Summary, len(i.Comments))
	}
	for _, name := range []string{"shop", "site"} {
		for _, e := range w.executions(name) {
			c.Executions++
			fmt.Fprintln(h, e.Ref(), e.Status)
		}
	}
	c.On, c.Boots, c.Story = len(w.hub.Statuses("")), w.boots, fmt.Sprintf("%x", h.Sum(nil))[:16]
	return c
}
