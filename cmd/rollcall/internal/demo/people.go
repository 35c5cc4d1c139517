package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// visitor is the user that the visitor is.
const visitor = "UANA"

func mail(name string) string { return name + "@tea.example" }

// demoUsers is whom the visitor may act as.
func (d *Demo) demoUsers() []Person {
	all := []Person{{visitor, "Ana", "release manager"}, {"UBEN", "Ben", "release manager"}, {"UDAN", "Dan", "developer"}, {"UCLEO", "Cleo", "release manager, away"}}
	if d.play != nil {
		for _, address := range d.strangers() {
			name, _, _ := strings.Cut(address, "@")
			all = append(all, Person{"U" + strings.ToUpper(strings.Map(alphanumeric, address)), name, "named in your file"})
		}
	}
	return all
}

// strangers are the people of the visitor's file who are not the demo's own.
func (d *Demo) strangers() []string {
	if d.play == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(d.play.people), func(address string) bool {
		return slices.Contains([]string{mail("ana"), mail("ben"), mail("dan"), mail("cleo")}, strings.ToLower(address))
	})
}

func alphanumeric(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}

// people fills the local Slack; who is there already stays.
func (d *Demo) people() {
	if len(d.slack.Users()) > 1 {
		return
	}
	named, cast := d.strangers(), d.demoUsers()
	for i, p := range cast {
		address := mail(strings.ToLower(p.Name))
		if i := i - (len(cast) - len(named)); i >= 0 {
			address = named[i]
		}
		d.slack.AddUser(slackfake.User{ID: p.ID, Name: p.Name, Email: address})
	}
	d.slack.AddChannel(slackfake.Channel{ID: "CDEPLOYS", Name: d.channel()})
	d.slack.AddChannel(slackfake.Channel{ID: "CGENERAL", Name: "general"})
	if d.play == nil {
		return
	}
	for _, id := range d.play.slackGroups {
		d.slack.AddGroup(slackfake.Group{ID: id, Handle: strings.ToLower(id), Members: d.everybody()})
	}
}

// channel is where the pipeline speaks.
func (d *Demo) channel() string {
	if d.play != nil && d.play.channel != "" {
		return d.play.channel
	}
	return "deploys"
}

func (d *Demo) everybody() []string {
	var ids []string
	for _, p := range d.demoUsers() {
		ids = append(ids, p.ID)
	}
	return ids
}

// playColleagues plays everybody but the visitor, until ctx ends: Dan, who pushes,
// and Ben, who looks at gates; Cleo answered those before the visitor came. What
// is to be done is derived anew every time.
func (d *Demo) playColleagues(ctx context.Context, _ Engine) {
	clicked := map[string]time.Time{}
	for ctx.Err() == nil {
		_, changed := d.beats.now()
		sc, err := d.readScene(ctx)
		if err == nil && d.play != nil && d.visited.Load() && time.Since(clicked["begin"]) > time.Minute {
			if err = d.startOnce(ctx, sc); err == nil {
				clicked["begin"] = time.Now()
			}
		} else if err == nil && d.shop != nil {
			err = d.seed(ctx, sc)
		}
		if err == nil {
			d.answerGates(ctx, sc, clicked)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Debug("the demo's people could not act yet", "err", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// seed brings the story to where the visitor finds it, and later pushes what a
// kill kept from arriving.
func (d *Demo) seed(ctx context.Context, sc *scene) error {
	newest := first - 1
	if len(sc.newest) > 0 {
		x := &sc.newest[0]
		newest = x.Number
		if at, _ := x.Stage("Production"); newest < opens && !x.Status.Final() && at.Status == workflows.StatusNotStarted {
			return nil // the next one would overtake it
		}
	}
	if newest < opens {
		return d.deliver(ctx, d.shop.commits[newest+1-first])
	}
	if !sc.seeding {
		if err := d.shop.setPace(""); err != nil {
			return err
		}
	}
	n := d.place.known()
	if len(n.Pushes) == 0 {
		return nil
	}
	last := n.Pushes[len(n.Pushes)-1]
	if slices.ContainsFunc(sc.newest, func(x workflows.Execution) bool {
		return slices.ContainsFunc(x.SourceRevisions, func(r workflows.SourceRevision) bool { return r.RevisionID == last.Commit })
	}) {
		return nil
	}
	return d.deliver(ctx, last.Commit)
}

// push makes a commit as Dan, and has GitHub tell the service.
func (d *Demo) push(ctx context.Context, what string) error {
	d.pushing.Lock()
	defer d.pushing.Unlock()
	n := d.place.known()
	before := 0
	for _, p := range n.Pushes {
		if p.What == what {
			before++
		}
	}
	c, err := next(what, before)
	if err != nil {
		return err
	}
	sc, err := d.readScene(ctx)
	if err != nil {
		return err
	}
	if sc.seeding {
		return errors.New("the story has not begun yet: wait a moment")
	}
	commit, err := d.shop.commit(ctx, []change{c}, false)
	if err != nil {
		return err
	}
	if err := d.place.write(func(n *note) { n.Pushes = append(n.Pushes, push{what, commit}) }); err != nil {
		return err
	}
	return d.deliver(ctx, commit)
}

// deliver has GitHub tell of a commit. A commit that was told of before counts once.
func (d *Demo) deliver(ctx context.Context, commit string) error {
	title, err := d.shop.git(ctx, nil, "log", "--max-count=1", "--format=%s", commit, "--")
	if err != nil {
		return err
	}
	payload := githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: commit, Message: strings.TrimSpace(title),
		Author: githubfake.Person{Name: "Dan", Email: mail("dan"), Login: "dan"}, Pusher: "dan", Files: []string{"products.txt"}}.Payload()
	here := strings.ReplaceAll(string(payload), "https://github.com/", "http://"+d.addr+"/code/")
	sent, err := d.github.Deliver(ctx, "push", []byte(here))
	if err == nil && sent.Status/100 != 2 {
		err = fmt.Errorf("the push was answered with status %d", sent.Status)
	}
	return err
}

// answerGates has people approve where it is not the visitor's turn.
func (d *Demo) answerGates(ctx context.Context, sc *scene, clicked map[string]time.Time) {
	for i := range sc.gates {
		g := &sc.gates[i]
		for _, user := range d.approversNow(sc, g) {
			key := g.Approval.Token + user
			if time.Since(clicked[key]) < 2*time.Second || !d.click(ctx, g, user) {
				continue
			}
			clicked[key] = time.Now()
		}
	}
}

// approversNow is who should answer a gate now, the visitor left out.
func (d *Demo) approversNow(sc *scene, g *say.OpenApproval) []string {
	seeded := d.shop != nil && g.Number < opens
	if !seeded && !(sc.seeding && g.Number == opens) && d.Now().Sub(g.Approval.OpenedAt) < d.beat() {
		return nil
	}
	var users []string
	for _, p := range d.demoUsers() {
		address := d.address(p.ID)
		away := d.shop != nil && !seeded && p.ID == "UCLEO" && g.StartedBy.By.Email != mail("ana")
		if p.ID == visitor || away || p.Role == "developer" || voted(g, address) {
			continue
		}
		users = append(users, p.ID)
	}
	if !seeded && !answered(g, mail("ana")) { // the last word is the visitor's
		users = users[:min(len(users), max(0, g.Approval.Required-1-g.Approval.Approvals()))]
	}
	return users
}

func (d *Demo) address(user string) string {
	for _, u := range d.slack.Users() {
		if u.ID == user {
			return u.Email
		}
	}
	return ""
}

// click presses Approve where the gate asks, and says whether it could.
func (d *Demo) click(ctx context.Context, g *say.OpenApproval, user string) bool {
	for _, c := range d.slack.Channels("") {
		for _, m := range d.slack.Messages(c.ID) {
			var asked struct{ Gate string }
			if m.Metadata == nil || m.Metadata.Type != "rollcall_gate" || json.Unmarshal(m.Metadata.Payload, &asked) != nil || asked.Gate != g.Approval.Token {
				continue
			}
			for _, b := range m.Buttons() {
				if b.ActionID == "approve" {
					ack, err := d.slack.Click(ctx, user, m.At(), b.ActionID)
					return err == nil && ack.Status == http.StatusOK
				}
			}
		}
	}
	return false
}
