package slackfake

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Unfurl is what the app shows of a link under the message that has it.
type Unfurl struct {
	URL    string          `json:"url"`
	Title  string          `json:"title"`
	Text   string          `json:"text"`
	Blocks json.RawMessage `json:"blocks,omitempty"`
}

// inText finds the addresses in what somebody wrote, also in Slack's <…|…>.
var inText = regexp.MustCompile(`https?://[^\s<>|]+`)

// linksOf are the links of a text to the app's domains, each once. The caller holds mu.
func (w *Server) linksOf(text string) (links []object) {
	seen := map[string]bool{}
	for _, address := range inText.FindAllString(text, 20) {
		u, err := url.Parse(address)
		if err != nil || seen[address] {
			continue
		}
		host := strings.ToLower(u.Hostname())
		if slices.ContainsFunc(w.o.UnfurlDomains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) }) {
			links = append(links, object{"domain": host, "url": address})
		}
		seen[address] = true
	}
	return links
}

// shareLinks sends link_shared for a user's message when it has links to the app's
// domains, and the app may read links.
func (w *Server) shareLinks(ctx context.Context, m Message) error {
	w.mu.Lock()
	links := w.linksOf(m.Text)
	r := w.channels[m.Channel]
	if len(links) == 0 || r == nil || !slices.Contains(w.o.Scopes, "links:read") {
		w.mu.Unlock()
		return nil
	}
	event := object{
		"type": "link_shared", "user": m.User, "channel": m.Channel, "message_ts": m.TS, "links": links, "event_ts": m.TS,
		"unfurl_id": m.Channel + "-" + m.TS, "source": "conversations_history", "is_bot_user_member": w.in(botUser, r),
	}
	if m.Thread != "" {
		event["thread_ts"] = m.Thread
	}
	w.mu.Unlock()
	_, err := w.event(ctx, event)
	return err
}

// external says whether a channel is shared with another company.
func (w *Server) external(channel string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.channels[channel]
	return r != nil && r.External
}

// chatUnfurl shows links of a user's message.
func (w *Server) chatUnfurl(a args) (reply, error) {
	channel, ts := a.str("channel"), a.str("ts")
	if id := a.str("unfurl_id"); id != "" {
		channel, ts, _ = strings.Cut(id, "-")
	}
	r, err := w.target(channel)
	if err != nil {
		return nil, err
	}
	m := r.message(ts)
	if m == nil {
		return fail("cannot_find_message")
	}
	var all map[string]struct {
		Title  string          `json:"title"`
		Text   string          `json:"text"`
		Blocks json.RawMessage `json:"blocks"`
	}
	if json.Unmarshal([]byte(a.str("unfurls")), &all) != nil || len(all) == 0 {
		return fail("cannot_parse_attachment")
	}
	var shown []Unfurl
	for _, l := range w.linksOf(m.Text) {
		address := str(l, "url")
		u, ok := all[address]
		if !ok {
			continue
		}
		one := Unfurl{URL: address, Title: u.Title, Text: u.Text}
		if len(u.Blocks) > 0 {
			if err := w.refuse(checkMessage(u.Blocks, w.refusedKinds), "cannot_unfurl_url"); err != nil {
				return nil, err
			}
			if one.Blocks, err = named(string(u.Blocks)); err != nil {
				return nil, err
			}
		}
		shown = append(shown, one)
	}
	if len(shown) == 0 {
		return fail("cannot_unfurl_url")
	}
	m.Unfurls = shown
	w.touchRoom(r)
	return reply{}, nil
}
