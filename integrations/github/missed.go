package github

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

const (
	missedFirst = 5 * time.Second // after the start: deliveries that come by themselves go first
	missedEvery = time.Hour
	missedAgain = time.Minute       // after a look that could not see or do everything
	missedKept  = 72 * time.Hour    // how long GitHub lists deliveries
	missedSlack = 10 * time.Minute  // of the time up to which everything is made good
	missedPages = 100               // of a hundred deliveries, of one hook and look
	missedMemo  = "missed/complete" // memo: up to when every delivery is made good
	missedMost  = 20000             // deliveries that are remembered as dealt with
)

// Ways in which a missed delivery is made good, as they are counted.
const (
	byPayload    = "payload"    // by the payload that GitHub keeps
	byRedelivery = "redelivery" // GitHub was asked to deliver it again
	byBranch     = "branch"     // deliveries cannot be listed: the branches were looked at
)

// MissedOptions is what looking for missed deliveries needs.
type MissedOptions struct {
	APIURL    string // empty: https://api.github.com/
	Token     string // or App; neither: only branches are looked at
	App       *api.App
	PublicURL string // hooks whose address begins with it are ours
	Transport http.RoundTripper

	// Repositories are those that pipelines take their source from, as OWNER/NAME.
	Repositories func(ctx context.Context) ([]string, error)
	// Seen says whether there is a receipt of that key.
	Seen func(ctx context.Context, key string) (bool, error)
	// Branches has the newest commits of what is followed in a repository looked at.
	Branches func(repository string)
	Notes    api.Notes
	Counted  func(how string) // nil: nobody counts
	Log      *slog.Logger     // nil: slog.Default()
	Now      func() time.Time // nil: time.Now
}

// missed finds deliveries that did not arrive, soon after the start and every hour:
// GitHub does not repeat them. What failed is taken by the payload that GitHub
// keeps, which needs no more than the right to read webhooks and works also where
// GitHub does not reach this machine; where that cannot be read, GitHub is asked to deliver again.
type missed struct {
	MissedOptions
	hook     *Webhook       // takes what was missed as if it had been delivered
	api, own *github.Client // of the token or installation, and of the app; nil: there is none

	dealt map[string]bool // GUIDs that need no further look
	told  map[string]bool // what was logged and is still so
}

// FindMissed returns what looks for the webhook's missed deliveries until its context
// ends. The error is a *workflows.Problem about the options.
func (h *Webhook) FindMissed(o MissedOptions) (run func(context.Context) error, err error) {
	m, err := newMissed(h, o)
	if err != nil {
		return nil, err
	}
	return m.run, nil
}

func newMissed(h *Webhook, o MissedOptions) (*missed, error) {
	m := &missed{MissedOptions: o, hook: h, dealt: map[string]bool{}, told: map[string]bool{}}
	var err error
	if o.Token != "" || o.App != nil {
		if m.api, err = api.New(o.APIURL, o.Token, o.App, o.Transport); err != nil {
			return nil, err
		}
	}
	if o.App != nil {
		if m.own, err = api.NewForApp(o.APIURL, o.App, o.Transport); err != nil {
			return nil, err
		}
	}
	m.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	if m.Log == nil {
		m.Log = slog.Default()
	}
	if m.Now == nil {
		m.Now = time.Now
	}
	if m.Counted == nil {
		m.Counted = func(string) {}
	}
	return m, nil
}

// run looks until ctx ends.
func (m *missed) run(ctx context.Context) error {
	timer := time.NewTimer(missedFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		again := missedEvery
		if complete, err := m.look(ctx); ctx.Err() != nil {
			return nil
		} else if err != nil || !complete {
			again = missedAgain
			if err != nil {
				m.Log.Warn("missed deliveries of GitHub could not be looked for; it is tried again", "again_in", again, "error", wire.Scrub(err))
			}
		}
		timer.Reset(again)
	}
}

// look looks once. complete says that all that could be seen is made good.
func (m *missed) look(ctx context.Context) (complete bool, err error) {
	began := m.Now()
	since := began.Add(-missedKept)
	if raw, ok, err := m.Notes.Memo(ctx, missedMemo); err != nil {
		return false, fmt.Errorf("reading up to when deliveries are complete: %w", err)
	} else if ok {
		var at time.Time
		if json.Unmarshal(raw, &at) == nil && at.Add(-missedSlack).After(since) {
			since = at.Add(-missedSlack)
		}
	}
	repositories, err := m.Repositories(ctx)
	if err != nil {
		return false, fmt.Errorf("listing what pipelines follow: %w", err)
	}
	lists, blind, complete := m.lists(ctx, repositories)
	for _, l := range lists {
		failed, err := m.failed(ctx, l, since)
		switch {
		case unlisted(err):
			m.once(l.name, "the deliveries of a webhook cannot be listed, so only the newest commit of each branch is looked at", err)
			blind = append(blind, l.repositories...)
		case err != nil:
			m.Log.Warn("the deliveries of a webhook could not be listed; it is tried again", "webhook", l.name, "error", api.Said(err))
			complete = false
		default:
			delete(m.told, l.name)
			complete = m.makeGood(ctx, l, failed) && complete
		}
	}
	slices.Sort(blind)
	for _, r := range slices.Compact(blind) {
		m.Branches(r)
		m.Counted(byBranch)
	}
	if !complete || len(blind) > 0 { // what cannot be listed now may be listed later
		return complete, nil
	}
	raw, err := json.Marshal(began.UTC())
	if err == nil {
		err = m.Notes.Note(ctx, missedMemo, raw)
	}
	if err != nil {
		return false, fmt.Errorf("noting up to when deliveries are complete: %w", err)
	}
	return true, nil
}

// once logs something until it is no longer so.
func (m *missed) once(about, message string, err error) {
	if !m.told[about] {
		m.told[about] = true
		m.Log.Warn(message, "webhook", about, "error", api.Said(err), "hint", api.Advice(err, hooksRight))
	}
}

const hooksRight = "the permission Webhooks: read (classic: read:repo_hook, for an organization's webhook admin:org_hook)"

// unlisted says whether GitHub does not show something to us, for good.
func unlisted(err error) bool {
	switch api.Status(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusNotAcceptable, http.StatusNotImplemented:
		return true
	}
	return false
}

// failed are the deliveries since then of which none arrived, each once, oldest first.
func (m *missed) failed(ctx context.Context, l deliveries, since time.Time) ([]*github.HookDelivery, error) {
	arrived, missed := map[string]bool{}, map[string]*github.HookDelivery{}
	opts := &github.ListCursorOptions{PerPage: 100}
	for range missedPages {
		page, resp, err := l.list(ctx, opts)
		if err != nil {
			return nil, err
		}
		old := false
		for _, d := range page {
			code := d.GetStatusCode()
			switch guid := d.GetGUID(); {
			case d.GetDeliveredAt().Before(since):
				old = true
			case code >= 200 && code < 300:
				arrived[guid] = true
			default:
				missed[guid] = d // the oldest comes last
			}
		}
		if opts.Cursor = resp.Cursor; opts.Cursor == "" || old {
			break
		}
	}
	var all []*github.HookDelivery
	for guid, d := range missed {
		if !arrived[guid] && plausibleID(guid) && !m.dealt[guid] {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *github.HookDelivery) int {
		return cmp.Or(a.GetDeliveredAt().Compare(b.GetDeliveredAt().Time), cmp.Compare(a.GetID(), b.GetID()))
	})
	return all, nil
}

// makeGood has what failed carried out; true: all of it is.
func (m *missed) makeGood(ctx context.Context, l deliveries, failed []*github.HookDelivery) bool {
	complete := true
	for _, d := range failed {
		guid := d.GetGUID()
		if seen, err := m.Seen(ctx, source+"/"+guid); err != nil {
			m.Log.Warn("a receipt could not be read", "delivery", guid, "error", err)
			complete = false
			continue
		} else if seen { // it arrived, and only our answer was lost
			m.done(guid)
			continue
		}
		if err := m.one(ctx, l, d); err != nil {
			m.Log.Warn("a missed delivery of GitHub could not be made good; it is tried again", "webhook", l.name, "delivery", guid, "event", clean.Line(d.GetEvent()), "error", api.Said(err))
			complete = false
			continue
		}
		m.done(guid)
	}
	return complete
}

func (m *missed) done(guid string) {
	if len(m.dealt) >= missedMost {
		clear(m.dealt)
	}
	m.dealt[guid] = true
}

// one makes one delivery good.
func (m *missed) one(ctx context.Context, l deliveries, d *github.HookDelivery) error {
	whole, _, err := l.get(ctx, d.GetID())
	if err == nil && whole.GetRequest() != nil && whole.Request.RawPayload != nil {
		return m.take(ctx, l, whole)
	}
	if err != nil && !unlisted(err) {
		return err
	}
	if err := l.again(ctx, d.GetID()); err != nil {
		return fmt.Errorf("asking for it again: %w", err)
	}
	m.Counted(byRedelivery)
	m.Log.Info("a missed delivery of GitHub is delivered again", "webhook", l.name, "delivery", d.GetGUID(), "event", clean.Line(d.GetEvent()))
	return nil
}

// take hands a delivery to the webhook, as its request would have.
func (m *missed) take(ctx context.Context, l deliveries, d *github.HookDelivery) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, webhookPath, http.NoBody)
	if err != nil {
		return err
	}
	for name, value := range d.Request.Headers {
		if strings.HasPrefix(http.CanonicalHeaderKey(name), "X-Github-") {
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("X-GitHub-Delivery", d.GetGUID())
	req.Header.Set("X-GitHub-Event", d.GetEvent())
	req.Header.Set("Content-Type", "application/json") // the payload is listed as such, also that of a form
	body, print := []byte(*d.Request.RawPayload), ""
	for name, value := range d.Request.Headers {
		if strings.EqualFold(name, "X-Hub-Signature-256") && wire.Verify(m.hook.secret, body, value) {
			print = wire.Fingerprint(body) // what was signed, byte for byte
		}
	}
	answered := &sink{header: http.Header{}}
	if refused := m.hook.accept(answered, req, body, print); refused != nil {
		if refused.Status < 500 {
			m.Log.Warn("a missed delivery of GitHub makes no sense and starts nothing", "webhook", l.name, "delivery", d.GetGUID(), "event", clean.Line(d.GetEvent()), "why", refused.Detail)
			return nil
		}
		return cmp.Or(refused.Cause, fmt.Errorf("%s", refused.Detail))
	}
	if answered.status == http.StatusAccepted { // it tells of something that is followed, and is new
		m.Counted(byPayload)
		m.Log.Info("a missed delivery of GitHub was made good", "webhook", l.name, "delivery", d.GetGUID(), "event", clean.Line(d.GetEvent()), "delivered", d.GetDeliveredAt().UTC())
	}
	return nil
}

// sink is what an answer is written to that nobody reads.
type sink struct {
	header http.Header
	status int
}

// Header is of the answer.
func (s *sink) Header() http.Header { return s.header }

// WriteHeader keeps the status.
func (s *sink) WriteHeader(status int) { s.status = cmp.Or(s.status, status) }

// Write takes everything.
func (s *sink) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	return len(b), nil
}
