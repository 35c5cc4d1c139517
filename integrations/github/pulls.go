package github

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	maxFiles = 100              // of a pull request: filters look at no more
	askFor   = 10 * time.Minute // until the files of a pull request are given up

	firstPause, longestPause = time.Second, time.Minute
)

// later says whether a change must wait for its files.
func (h *Webhook) later(ctx context.Context, c work.Change) (bool, error) {
	if h.client == nil || c.Event != "pull_request" || c.Fork {
		return false, nil
	}
	return h.engine.NeedsFiles(ctx, c)
}

func (h *Webhook) rouse() {
	select {
	case h.wake <- struct{}{}:
	default: // somebody has said so already
	}
}

// Run finishes accepted pull requests, also those of an earlier process: it
// asks for their changed files and lets the engine start what they start. It
// ends with ctx, without an error. GitHub is asked again and again for ten
// minutes; a pull request whose files cannot be had starts only what needs none.
func (h *Webhook) Run(ctx context.Context) error {
	pause := firstPause
	for {
		done := h.sweep(ctx)
		if done {
			pause = firstPause
		}
		timer := time.NewTimer(pause)
		again := timer.C
		if done {
			again = nil
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-h.wake:
		case <-again:
			pause = min(2*pause, longestPause)
		}
		timer.Stop()
	}
}

// sweep tries to finish every accepted pull request and says whether none is left.
func (h *Webhook) sweep(ctx context.Context) bool {
	pending, err := h.engine.Pending(ctx, source)
	if err != nil {
		h.log.Error("accepted pull requests cannot be read; trying again", "error", err)
		return false
	}
	done := true
	for _, r := range pending {
		if len(r.Payload) == 0 {
			continue // the engine's own: it finishes them
		}
		if err := h.finish(ctx, r); err != nil {
			done = false
			h.log.Warn("a pull request could not be carried out; trying again", "receipt", r.Key, "error", err)
		}
	}
	return done
}

// finish asks for the files and hands the change over. An error is worth another try.
func (h *Webhook) finish(ctx context.Context, r work.Receipt) error {
	var changes []work.Change
	var c work.Change
	if err := json.Unmarshal(r.Payload, &c); err != nil {
		h.log.Error("an accepted pull request cannot be read and starts nothing", "receipt", r.Key, "error", err)
	} else {
		if c.Files, err = h.files(ctx, c); err != nil {
			if passing(err) && h.now().Sub(r.At) < askFor {
				return err
			}
			h.log.Warn("the changed files of a pull request are not known", "repository", c.Repository, "number", c.Number, "error", err)
		}
		changes = append(changes, c)
	}
	r.Payload = nil
	_, _, err := h.engine.Receive(ctx, r, changes)
	return err
}

// files lists what a pull request changes; not nil. A renamed file counts
// under both names, as in a push.
func (h *Webhook) files(ctx context.Context, c work.Change) ([]string, error) {
	owner, name, err := splitRepository(c.Repository)
	if err != nil {
		return nil, err
	}
	list, _, err := h.client.PullRequests.ListFiles(ctx, owner, name, c.Number, &github.ListOptions{PerPage: maxFiles})
	if err != nil {
		return nil, fmt.Errorf("asking for the files of pull request %d of %s: %w", c.Number, c.Repository, err)
	}
	files := []string{}
	for _, f := range list {
		files = append(files, f.GetFilename())
		if old := f.GetPreviousFilename(); old != "" {
			files = append(files, old)
		}
	}
	return files, nil
}
