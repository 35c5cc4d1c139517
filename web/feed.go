package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
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
	defer a.messages.reader()()
	_ = out.send(": rollcall\n\n")
	ctx, cancel := a.whileSignedIn(r, by)
	defer cancel()
	for ctx.Err() == nil {
		at, err = a.feedOn(ctx, out, by, only, at)
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
		seen := 0
		if f.Feed == at.frame {
			seen = min(at.seen, len(f.Events))
		}
		if only == "" || f.Pipeline == only {
			text, err := a.messages.frame(f)
			if err == nil {
				err = out.add(text[seen:])
			}
			if err != nil {
				return at, err
			}
		}
		at = cursor{f.Feed, 0}
	}
	return at, out.flush()
}

// sendAt is how much of the feed is gathered, in bytes, before it is sent although there is more.
const sendAt = 64 << 10

// stream gathers what is to be sent, so that one write takes all there is.
type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	buf []byte
}

// add gathers the messages of a frame.
func (s *stream) add(messages [][]byte) error {
	for _, m := range messages {
		s.buf = append(s.buf, m...)
	}
	if len(s.buf) < sendAt {
		return nil
	}
	return s.flush()
}

func (s *stream) send(text string) error {
	s.buf = append(s.buf, text...)
	return s.flush()
}

// flush sends what was gathered.
func (s *stream) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	_ = s.ctl.SetWriteDeadline(time.Now().Add(slowClient)) // not supported: the server's own limits hold
	_, err := s.w.Write(s.buf)
	if s.buf = s.buf[:0]; cap(s.buf) > 2*sendAt {
		s.buf = nil
	}
	if err != nil {
		return err
	}
	return s.ctl.Flush()
}
