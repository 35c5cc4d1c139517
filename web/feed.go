package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// slowClient is how long a reader of the live feed may block a write before it is dropped.
const slowClient = 20 * time.Second

// cursor is a position in the live feed: a committed frame and how many of its
// events have been seen. Clients treat its text as opaque.
type cursor struct {
	frame uint64
	seen  int
}

func (c cursor) String() string {
	return strconv.FormatUint(c.frame, 36) + "." + strconv.Itoa(c.seen)
}

func parseCursor(text string) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	frame, seen, _ := strings.Cut(text, ".")
	f, err := strconv.ParseUint(frame, 36, 64)
	n, err2 := strconv.Atoi(seen)
	if err != nil || err2 != nil || n < 0 {
		return cursor{}, invalid("after", "after is not a cursor of this feed", "leave it out to begin with the oldest event, or send now")
	}
	return cursor{f, n}, nil
}

// position reads where to begin: a cursor, "now" for what is yet to come,
// nothing for the oldest event.
func (a *api) position(ctx context.Context, after string) (cursor, error) {
	if after != "now" {
		return parseCursor(after)
	}
	head, err := a.Watcher.Head(ctx)
	return cursor{frame: head}, err
}

// feedEvent is an event with where it stands.
type feedEvent struct {
	Cursor   string `json:"cursor"`
	Pipeline string `json:"pipeline"`
	Seq      uint64 `json:"seq"`
	event.Event
}

// events is the live feed as Server-Sent Events: one message per event, its
// kind as the event name and a cursor as the ID, so that a browser resumes by itself.
func (a *api) events(w http.ResponseWriter, r *http.Request, by workflows.Principal) (int, any, error) {
	after := r.FormValue("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	at, err := a.position(r.Context(), after)
	if err != nil {
		return 0, nil, err
	}
	only := r.FormValue("pipeline")
	if only != "" {
		if _, err := a.Reader.Pipeline(r.Context(), by, only, 0); err != nil {
			return 0, nil, err
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &stream{w: w, ctl: http.NewResponseController(w)}
	_ = out.send(": rollcall\n\n")
	for r.Context().Err() == nil {
		at, err = a.feedOn(r.Context(), out, by, only, at)
		if err != nil {
			a.Log.Debug("the live feed ended", "err", err)
			break
		}
	}
	return 0, nil, nil
}

// feedOn sends what comes after the cursor, or a heartbeat when nothing does, and returns the new cursor.
func (a *api) feedOn(ctx context.Context, out *stream, by workflows.Principal, only string, at cursor) (cursor, error) {
	wait, cancel := context.WithTimeout(ctx, a.Heartbeat)
	defer cancel()
	from := at.frame
	if at.seen > 0 {
		from-- // the rest of a frame that was cut
	}
	frames, err := a.Watcher.Feed(wait, by, from, 256)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return at, out.send(": alive\n\n")
	}
	if err != nil {
		return at, err
	}
	for _, f := range frames {
		for i, e := range f.Events {
			if f.Feed == at.frame && i < at.seen || only != "" && f.Pipeline != only {
				continue
			}
			here := cursor{f.Feed, i + 1}
			data, err := json.Marshal(feedEvent{here.String(), f.Pipeline, f.Seq, e})
			if err != nil {
				return at, fmt.Errorf("write event %s of %s: %w", e.Kind, f.Pipeline, err)
			}
			if err := out.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", here, e.Kind, data)); err != nil {
				return at, err
			}
		}
		at = cursor{f.Feed, 0}
	}
	return at, nil
}

type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
}

func (s *stream) send(text string) error {
	_ = s.ctl.SetWriteDeadline(time.Now().Add(slowClient)) // not supported: the server's own limits hold
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.ctl.Flush()
}
