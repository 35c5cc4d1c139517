package slackfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	hookLife = 30 * time.Minute
	hookUses = 5
)

// hook is a response URL: what it may say, to whom, where.
type hook struct {
	user, channel string
	ts, thread    string // of the message that was clicked
	at            time.Time
	uses          int
}

// hookMessage is what is posted to a response URL, or answered to a command.
type hookMessage struct {
	Text            string          `json:"text"`
	Blocks          json.RawMessage `json:"blocks"`
	ResponseType    string          `json:"response_type"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
	Thread          string          `json:"thread_ts"`
}

// newHook makes a response URL. The caller holds mu.
func (w *Server) newHook(h hook) string {
	h.at = w.o.Now()
	for id, old := range w.hooks {
		if h.at.Sub(old.at) > 2*hookLife {
			delete(w.hooks, id)
		}
	}
	id := newID("") + newID("")
	w.hooks[id] = &h
	return w.public + "/response/" + id
}

func (w *Server) serveResponse(rw http.ResponseWriter, r *http.Request, id string) {
	var m hookMessage
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, bodyLimit))
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		answer(rw, http.StatusBadRequest, reply{"ok": false, "error": "invalid_payload"})
		return
	}
	err = w.redeemHook(id, m)
	var limited *limitedError
	if errors.As(err, &limited) {
		limited.answer(rw)
		return
	}
	if err != nil {
		answer(rw, http.StatusNotFound, reply{"ok": false, "error": err.Error()})
		return
	}
	rw.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(rw, "ok")
}

// redeemHook uses a response URL once.
func (w *Server) redeemHook(id string, m hookMessage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hooks[id]
	switch {
	case h == nil || w.o.Now().Sub(h.at) > hookLife:
		return &apiError{Code: "expired_url"}
	case h.uses >= hookUses:
		return &apiError{Code: "used_url"}
	}
	if err := w.spend(ResponseURLs, id); err != nil {
		return err
	}
	h.uses++
	from := len(w.violations)
	err := w.respond(h, m)
	w.attributeViolations(from, ResponseURLs, args{"channel": h.channel, "user": h.user})
	return err
}

// respond shows a message through a response URL. The caller holds mu.
func (w *Server) respond(h *hook, m hookMessage) error {
	r := w.channels[h.channel]
	if r == nil {
		return &apiError{Code: "channel_not_found"}
	}
	if m.DeleteOriginal || m.ReplaceOriginal {
		if done, err := w.original(r, h, m); done || err != nil {
			return err
		}
	}
	next, err := w.hookContent(m)
	if err != nil {
		return err
	}
	next.Thread = m.Thread
	if m.ResponseType == "in_channel" {
		w.put(r, next)
		return nil
	}
	next.Channel = r.ID
	w.postEphemeral(h.user, next)
	return nil
}

// original replaces or deletes the message that was clicked, and says whether there was one.
func (w *Server) original(r *room, h *hook, m hookMessage) (bool, error) {
	target := r.message(h.ts)
	at := -1
	for i := range w.ephemeral[h.user] {
		if w.ephemeral[h.user][i].TS == h.ts && target == nil {
			target, at = &w.ephemeral[h.user][i], i
		}
	}
	if target == nil || h.ts == "" {
		return m.DeleteOriginal, nil
	}
	if at >= 0 {
		defer w.touchUser(h.user)
	} else {
		defer w.touchRoom(r)
	}
	if !m.DeleteOriginal {
		next, err := w.hookContent(m)
		if err != nil {
			return false, err
		}
		target.Text, target.Blocks = next.Text, next.Blocks
		target.Edits++
		return true, nil
	}
	if at >= 0 {
		w.ephemeral[h.user] = append(w.ephemeral[h.user][:at:at], w.ephemeral[h.user][at+1:]...)
		return true, nil
	}
	kept := r.messages[:0:0]
	for _, o := range r.messages {
		if o != target {
			kept = append(kept, o)
		}
	}
	r.messages = kept
	return true, nil
}

func (w *Server) hookContent(m hookMessage) (Message, error) {
	a := args{"text": m.Text}
	if len(m.Blocks) > 0 {
		a["blocks"] = string(m.Blocks)
	}
	next, err := w.content(a)
	if err != nil {
		return next, err
	}
	if strings.TrimSpace(next.Text) == "" && len(next.Blocks) == 0 {
		return next, fmt.Errorf("no_text")
	}
	return next, nil
}
