package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	maxFiles    = 100              // of a pull request: filters look at no more
	maxCompared = 300              // where GitHub cuts the files of a comparison
	askFor      = 10 * time.Minute // until the files of a change are given up
	reposAtOnce = 8                // repositories that are asked about side by side

	longestPause = time.Minute // between two tries
)

// needsFiles says whether a change must wait for its files.
func (h *Webhook) needsFiles(ctx context.Context, c work.Change) (bool, error) {
	if c.Commit == "" { // a release, whose tag must be looked up
		return true, nil
	}
	push := c.Event == "push" && c.Before != ""
	pull := c.Event == "pull_request" && h.client != nil && !c.Fork
	if !push && !pull {
		return false, nil
	}
	return h.engine.NeedsFiles(ctx, c)
}

// newInbox is the inbox of the changes that wait for their files. In a
// repository they are processed one after the other as they came, so that the
// newest starts last, and none waits for another repository. The engine is asked
// until it has taken the change; whoever knows the files only for ten minutes.
func (h *Webhook) newInbox() *wire.Inbox {
	return wire.NewInbox(wire.InboxOptions{
		Source: source, Receipts: h.engine, Queue: h.queue, Process: h.process, // which finishes the receipt in the commit that starts
		Workers: reposAtOnce, LongestPause: longestPause, Log: h.log,
	})
}

// queue is the repository of an accepted change. A receipt without a payload is
// the engine's own: it finishes it.
func (h *Webhook) queue(r work.Receipt) (repository string, ours bool) {
	var c work.Change
	_ = json.Unmarshal(r.Payload, &c) // process says so of what cannot be read
	if c.Commit == "" {
		return c.Repository + "#" + c.Event, len(r.Payload) > 0 // no push waits for it
	}
	return c.Repository, len(r.Payload) > 0
}

// process asks for the files and hands the change over.
func (h *Webhook) process(ctx context.Context, r work.Receipt, try wire.Try) (result []byte, err error) {
	var changes []work.Change
	var c work.Change
	if err := json.Unmarshal(r.Payload, &c); err != nil {
		h.log.Error("an accepted change cannot be read and starts nothing", "receipt", r.Key, "error", err)
	} else {
		changes = []work.Change{c}
	}
	r.Payload = nil
	var done work.Receipt
	err = try(ctx, func(ctx context.Context) error {
		err := h.addFiles(ctx, r, changes)
		if err == nil {
			done, _, err = h.engine.Receive(ctx, r, changes)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Warn("a change could not be carried out; trying again", "receipt", r.Key, "error", err)
		}
		return err
	})
	return done.Result, err
}

// addFiles puts the changed files into the changes of a receipt. A change whose
// files cannot be had is judged without them; the error is worth another try.
func (h *Webhook) addFiles(ctx context.Context, r work.Receipt, changes []work.Change) error {
	for n := range changes {
		c := &changes[n]
		if c.Commit == "" {
			if err := h.findTag(ctx, c, h.now().Sub(r.At)); err != nil {
				return err
			}
			continue
		}
		files, err := h.changed(ctx, *c)
		switch {
		case err == nil && files != nil:
			c.Files = files
		case err != nil && mayPass(err) && h.now().Sub(r.At) < askFor:
			return err
		default:
			h.log.Warn("the changed files of a "+strings.ReplaceAll(c.Event, "_", " ")+" are not known", "repository", c.Repository, "branch", c.Branch, "number", c.Number, "error", err)
		}
	}
	return nil
}

// changed lists the files of a change; nil: they cannot be known.
func (h *Webhook) changed(ctx context.Context, c work.Change) ([]string, error) {
	if c.Event == "pull_request" {
		return h.files(ctx, c)
	}
	files, err := h.engine.Changed(ctx, c)
	if err != nil || files != nil || h.client == nil {
		return files, err
	}
	return h.compared(ctx, c)
}

// compared asks GitHub in what a push differs from what was before. It only says
// what a commit has changed since the last one that both have in common, so it is
// asked from both sides: what neither has changed is the same. A file that both
// have changed alike is counted, which can only start too much.
func (h *Webhook) compared(ctx context.Context, c work.Change) ([]string, error) {
	owner, name, err := api.SplitRepository(c.Repository)
	if err != nil {
		return nil, err
	}
	files := []string{}
	for _, side := range [][2]string{{c.Before, c.Commit}, {c.Commit, c.Before}} {
		found, _, err := h.client.Repositories.CompareCommits(ctx, owner, name, side[0], side[1], &github.ListOptions{PerPage: 1})
		if err != nil {
			return nil, fmt.Errorf("comparing %.7s with %.7s in %s: %w", side[0], side[1], c.Repository, err)
		}
		if len(found.Files) >= maxCompared {
			return nil, nil
		}
		files = append(files, fileNames(found.Files)...)
	}
	return files, nil
}

// files lists what a pull request changes; not nil. A renamed file counts
// under both names, as in a push.
func (h *Webhook) files(ctx context.Context, c work.Change) ([]string, error) {
	owner, name, err := api.SplitRepository(c.Repository)
	if err != nil {
		return nil, err
	}
	list, _, err := h.client.PullRequests.ListFiles(ctx, owner, name, c.Number, &github.ListOptions{PerPage: maxFiles})
	if err != nil {
		return nil, fmt.Errorf("asking for the files of pull request %d of %s: %w", c.Number, c.Repository, err)
	}
	return fileNames(list), nil
}

// fileNames are the names of files, the earlier one of a renamed file too; not nil.
func fileNames(list []*github.CommitFile) []string {
	files := []string{}
	for _, f := range list {
		files = append(files, f.GetFilename())
		if old := f.GetPreviousFilename(); old != "" {
			files = append(files, old)
		}
	}
	return files
}
