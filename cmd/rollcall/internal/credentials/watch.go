package credentials

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

const (
	firstLook = 10 * time.Second // after the start
	lookEvery = time.Hour
)

// Notes keep what was seen and whom was warned.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error // durable when it returns; an empty value deletes
}

// Source asks about one credential. An error means that nobody knows now.
type Source func(ctx context.Context) (Credential, error)

// Options are what a Watch needs.
type Options struct {
	Sources []Source
	Notes   Notes
	// Admins are the addresses of those who are warned. With an error they are not all.
	Admins func(ctx context.Context) ([]string, error)
	// Tell sends a message to one of them; nil: there is no chat, and the log says it.
	Tell  func(ctx context.Context, address, text string) error
	Shown func(c Credential) // what was found, for the metrics; nil: nobody counts
	Log   *slog.Logger
}

// Watch looks at the credentials every hour. Its methods may be called from any goroutine.
type Watch struct {
	o Options

	mu     sync.Mutex
	found  map[string]Credential
	admins []string // at the last look
}

// NewWatch asks nothing before Run.
func NewWatch(o Options) *Watch { return &Watch{o: o, found: map[string]Credential{}} }

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		w.look(ctx)
		timer.Reset(lookEvery)
	}
}

// Lines are what admins should know now, a sentence each, in the order of the alphabet.
func (w *Watch) Lines() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.found {
		if s := Sentence(c, time.Now()); s != "" {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

// Warns says whether whoever has that address is one of those who are warned, as of the last look.
func (w *Watch) Warns(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.admins, func(a string) bool { return strings.EqualFold(a, address) })
}

func (w *Watch) look(ctx context.Context) {
	admins, err := w.o.Admins(ctx)
	if err != nil && ctx.Err() == nil {
		w.o.Log.Warn("not all admins could be looked up who are warned about credentials; it is tried again", "again_in", lookEvery, "error", wire.Scrub(err))
	}
	w.mu.Lock()
	w.admins = admins
	w.mu.Unlock()
	for _, ask := range w.o.Sources {
		c, err := ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.o.Log.Info("when a credential ends could not be asked; it is tried again", "credential", c.Name, "again_in", lookEvery, "error", wire.Scrub(err))
			continue
		}
		w.mu.Lock()
		w.found[c.Name] = c
		w.mu.Unlock()
		if w.o.Shown != nil {
			w.o.Shown(c)
		}
		if err := w.warn(ctx, c, admins); err != nil && ctx.Err() == nil {
			w.o.Log.Warn("admins could not be warned about a credential; it is tried again", "credential", c.Name, "error", wire.Scrub(err))
		}
	}
}

// warn gives each admin a warning that is due, once. The mark is durable before the
// message, so that after a crash it is not sent twice; what was refused is sent later.
func (w *Watch) warn(ctx context.Context, c Credential, admins []string) error {
	all := append([]string{""}, admins...) // the log is the first
	if !c.Refused {
		if err := w.accepted(ctx, c.Name, all); err != nil {
			return err
		}
	}
	due := Due(c, time.Now())
	if due == "" {
		return nil
	}
	text, key := Sentence(c, time.Now()), "warned/"+c.Name+"/"+due
	if due != "refused" {
		key += "/" + c.Ends.UTC().Format("2006-01-02")
	}
	var last error
	for _, who := range all {
		at := key + "/" + who
		if _, done, err := w.o.Notes.Memo(ctx, at); err != nil {
			return fmt.Errorf("reading who was warned: %w", err)
		} else if done {
			continue
		}
		if who != "" && w.o.Tell == nil {
			break
		}
		if err := w.o.Notes.Note(ctx, at, []byte(time.Now().UTC().Format(time.RFC3339))); err != nil {
			return fmt.Errorf("noting who is warned: %w", err)
		}
		if who == "" {
			w.o.Log.Warn(text)
			continue
		}
		if err := w.o.Tell(ctx, who, "⚠️ "+text); err != nil {
			last = err
			if err := w.o.Notes.Note(ctx, at, nil); err != nil {
				return fmt.Errorf("noting who was not warned: %w", err)
			}
		}
	}
	return last
}

// accepted forgets that a credential was refused: the next refusal is news.
func (w *Watch) accepted(ctx context.Context, name string, all []string) error {
	for _, who := range all {
		at := "warned/" + name + "/refused/" + who
		_, was, err := w.o.Notes.Memo(ctx, at)
		if err == nil && was {
			err = w.o.Notes.Note(ctx, at, nil)
		}
		if err != nil {
			return fmt.Errorf("noting that a credential is accepted again: %w", err)
		}
	}
	return nil
}
