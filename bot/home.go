package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollcall-bot/rollcall/bot/card"
	"github.com/rollcall-bot/rollcall/bot/home"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

const (
	placesSought = 25 // pipelines that are read for one App Home
	mineSought   = 8  // executions in progress
)

// openHome publishes the App Home of whoever asked. found is the pipeline that
// they looked for there.
func (b *Bot) openHome(ctx context.Context, r Request, found string) error {
	p, err := b.person(ctx, r.By, found)
	if err != nil {
		b.log.Warn("an app home could not be drawn", "user", r.Home, "error", err)
		return b.publish(ctx, r, card.Say("rollcall cannot look right now. Open this page again in a moment.").Home())
	}
	return b.publish(ctx, r, home.Home(p))
}

// person gathers what somebody sees of everything. Of the pipelines only as
// many are read as are shown.
func (b *Bot) person(ctx context.Context, by workflows.Principal, found string) (p home.Person, err error) {
	p = home.Person{Now: b.now(), URL: b.url, Accounts: b.accounts(by), Found: found}
	if p.Waiting, err = b.waiting(ctx, by); err != nil {
		return p, err
	}
	own, err := b.begun(ctx, b.personKey(by.ID, by.Email))
	if err != nil {
		return p, err
	}
	mine, err := b.owned(ctx, by)
	if err != nil {
		return p, err
	}
	if err := b.environments(ctx, by, &p, own, mine); err != nil {
		return p, err
	}
	p.Mine = b.inProgress(ctx, by, own)
	if p.Rollbacks, err = b.rollbacks(ctx, by); err != nil {
		return p, err
	}
	admin := false
	if refusal, _, err := b.engine.Verdict(ctx, by, workflows.Audit, "", ""); err == nil && refusal == nil {
		admin, p.Open = true, b.open
	}
	p.Open = slices.Concat(p.Open, b.expiring(by))
	p.Unseen = b.undeliveredLines(ctx, func(pipeline string) bool { return admin || mine[pipeline] })
	return p, nil
}

// waiting are the gates that somebody can answer now, with what they change.
func (b *Bot) waiting(ctx context.Context, by workflows.Principal) ([]card.Asking, error) {
	gates, err := b.engine.Approvals(ctx, by)
	if err != nil {
		return nil, err
	}
	var mine []card.Asking
	for i := range gates {
		g := &gates[i]
		e, err := b.engine.Execution(ctx, by, g.Execution)
		if err != nil || !answerable(&e, g) || voted(&g.Approval, by) {
			continue
		}
		a := card.Asking{View: card.View{Execution: e, URL: b.url}, Stage: g.Stage, Action: g.Action, Approval: g.Approval}
		if len(mine) < 10 { // more are only counted
			a.View = b.view(ctx, by, e)
		}
		mine = append(mine, a)
	}
	return mine, nil
}

// answerable says whether the engine offers the viewer of an execution to answer a gate of it.
func answerable(e *workflows.Execution, g *say.OpenApproval) bool {
	return slices.ContainsFunc(e.Offers, func(o workflows.Offer) bool {
		return o.Verb == workflows.Approve && o.Stage == g.Stage && (o.Action == "" || o.Action == g.Action)
	})
}

// voted says whether somebody has answered a gate, which waits for others then.
func voted(g *workflows.Approval, by workflows.Principal) bool {
	return slices.ContainsFunc(g.Votes, func(v workflows.Vote) bool { return v.By.Is(by) })
}

// environments are those of the pipelines that somebody looked for, used, owns,
// or may see, in this order, and how many pipelines there are beside.
func (b *Bot) environments(ctx context.Context, by workflows.Principal, p *home.Person, own []begun, mine map[string]bool) error {
	names, err := b.engine.Names(ctx, by)
	if err != nil {
		return err
	}
	names = inOrder(names, p.Found, own, mine)
	read := 0
	for _, name := range names {
		if read == placesSought {
			break
		}
		view, err := b.engine.Pipeline(ctx, by, name, 0)
		if notFound(err) {
			continue
		} else if err != nil {
			return err
		}
		read++
		if view.Archived {
			continue
		}
		p.Start = p.Start || startable(&view)
		p.Places = append(p.Places, b.placesOf(ctx, view)...)
	}
	p.More = len(names) - read
	return nil
}

// inOrder puts names first that are of more use to somebody; those of one rank stay in order.
func inOrder(names []string, found string, own []begun, mine map[string]bool) []string {
	rank := map[string]int{found: 1}
	for i, o := range own {
		if rank[o.Pipeline] == 0 {
			rank[o.Pipeline] = 2 + i
		}
	}
	of := func(name string) int {
		switch {
		case rank[name] > 0:
			return rank[name]
		case mine[name]:
			return 1000
		}
		return 2000
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(x, y string) int { return of(x) - of(y) })
	return names
}

func startable(p *workflows.PipelineView) bool {
	return slices.ContainsFunc(p.Stages, func(s workflows.StageView) bool {
		return slices.ContainsFunc(s.Offers, func(o workflows.Offer) bool { return o.Verb == workflows.Start })
	})
}

// placesOf are the stages of a pipeline that have an environment, else its last one.
func (b *Bot) placesOf(ctx context.Context, view workflows.PipelineView) []home.Place {
	var all []home.Place
	for i := range view.Stages {
		s := &view.Stages[i]
		if s.Environment == "" && (i < len(view.Stages)-1 || len(all) > 0) {
			continue
		}
		pl := home.Place{View: card.View{Pipeline: view, Execution: workflows.Execution{Pipeline: view.Name}, Numbers: map[string]int{}, URL: b.url}, Stage: s.Name}
		for _, id := range mentioned(&pl.Execution, &view) {
			if e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), id); err == nil {
				pl.Numbers[id] = e.Number
			}
		}
		if r := s.Running; r != nil {
			id := r.Execution
			if r.By != "" {
				id = r.By
			}
			if e, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), id); err == nil {
				pl.Brought = &e
			}
		}
		all = append(all, pl)
	}
	return all
}

// inProgress are somebody's executions that have not ended, as they stand.
func (b *Bot) inProgress(ctx context.Context, by workflows.Principal, own []begun) []home.Own {
	var all []home.Own
	for _, o := range own {
		e, err := b.engine.Execution(ctx, by, o.Execution)
		if err != nil || e.Status.Final() {
			continue
		}
		one := home.Own{View: card.View{Execution: e, URL: b.url}}
		if mem, ok, err := b.loadMemory(ctx, e.ID); err == nil && ok && mem.Card.TS != "" {
			one.Card = b.permalink(mem.Card.Place)
		}
		if all = append(all, one); len(all) == mineSought {
			break
		}
	}
	return all
}

// rollbacks are the newest that somebody may see.
func (b *Bot) rollbacks(ctx context.Context, by workflows.Principal) ([]card.View, error) {
	noted, err := b.begun(ctx, rollbacksKey)
	if err != nil {
		return nil, err
	}
	var all []card.View
	for _, o := range noted {
		e, err := b.engine.Execution(ctx, by, o.Execution)
		if err != nil {
			continue
		}
		v := card.View{Execution: e, Numbers: map[string]int{}, URL: b.url}
		for _, id := range mentioned(&e, &v.Pipeline) {
			if other, err := b.engine.Execution(ctx, workflows.EnginePrincipal(), id); err == nil {
				v.Numbers[id] = other.Number
			}
		}
		if all = append(all, v); len(all) == 5 {
			break
		}
	}
	return all, nil
}

// accounts are what rollcall knows somebody by.
func (b *Bot) accounts(by workflows.Principal) []string {
	if by.Email == "" {
		return nil
	}
	all := []string{by.Email}
	for id, address := range b.known {
		if kind, name, ok := strings.Cut(id, ":"); ok && strings.EqualFold(address, by.Email) {
			all = append(all, name+" ("+map[string]string{"github": "GitHub", "jira": "Jira"}[kind]+")")
		}
	}
	slices.Sort(all[1:])
	return all
}

// fromHome says whether a request was made on somebody's App Home, or in a form
// that was opened there.
func fromHome(r *Request) bool {
	i := r.Interaction
	switch i.Type {
	case slack.InteractionTypeBlockActions:
		return i.View.Type == slack.VTHomeTab
	case slack.InteractionTypeViewSubmission:
		return r.Reply.Channel == ""
	}
	return false
}

// foundBefore is the pipeline that somebody looked for on their App Home.
func foundBefore(r *Request) string {
	for _, a := range r.Interaction.ActionCallback.BlockActions {
		if a != nil && a.ActionID == home.ActFind {
			return a.SelectedOption.Value
		}
	}
	if r.Interaction.View.Type == slack.VTHomeTab {
		return r.Interaction.View.PrivateMetadata
	}
	return ""
}
