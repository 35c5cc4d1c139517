package slackfake

import (
	"fmt"
	"net/http"
	"time"
)

const (
	heartbeat = 15 * time.Second
	// streamPatience is how long a page may take to read an event before it is
	// hung up on; it then comes back and reads the state.
	streamPatience = 5 * time.Second
)

// pageEvents sends a page every change that its person could see, as
// server-sent events. The first event comes at once, unless Last-Event-ID is
// the version still; changes in quick succession may come as one.
func (w *Server) pageEvents(rw http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("as")
	if err := w.isPerson(user); err != nil {
		refusePage(rw, http.StatusNotFound, err)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	stream := http.NewResponseController(rw)
	send := func(format string, args ...any) bool {
		// Writers without deadlines are those of tests, which are never slow.
		_ = stream.SetWriteDeadline(time.Now().Add(streamPatience))
		_, err := fmt.Fprintf(rw, format, args...)
		return err == nil && stream.Flush() == nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	// A page whose process went away tries again soon.
	if !send("retry: 500\n\n") {
		return
	}
	last := r.Header.Get("Last-Event-ID")
	for {
		version, changed, err := w.watch(user)
		if err != nil {
			return
		}
		if now := fmt.Sprint(version); now != last {
			if !send("id: %s\ndata: {\"version\":%s}\n\n", now, now) {
				return
			}
			last = now
		}
		select {
		case <-changed:
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		case <-w.ctx.Done():
			return
		}
	}
}

// watch is the version that a person sees, and a channel that is closed when
// there may be a newer one. The error says that they see nothing any more.
func (w *Server) watch(user string) (version uint64, changed <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen(user), w.changed, w.mayAct(user)
}
