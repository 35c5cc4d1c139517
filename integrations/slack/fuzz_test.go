package slack

import (
	"net/http"
	"testing"
	"time"
)

// FuzzRequests: whatever comes with a valid signature, a parser gives a
// request that can be kept and read again, or an error.
func FuzzRequests(f *testing.F) {
	f.Add([]byte("command=%2Frollcall&text=x&user_id=U1&team_id=T1&token=t"))
	f.Add([]byte(`payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%2C%22actions%22%3A%5B%7B%22type%22%3A%22button%22%7D%5D%7D`))
	f.Add([]byte(`{"type":"block_actions","user":{"id":"U1"},"token":"t","container":{"thread_ts":"1.1"},"message":{"blocks":[{"type":"section"}]}}`))
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"app_home_opened","user":"U1","tab":"home"}}`))
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"link_shared","user":"U1","channel":"C1","message_ts":"1.1","source":"conversations_history","unfurl_id":"C1-1.1","links":[{"domain":"a.example","url":"https://a.example/executions/1"}]}}`))
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","is_ext_shared_channel":true,"event":{"type":"link_shared","user":"U1","channel":"COMPOSER","message_ts":"U1-9","source":"composer","links":[{"url":"\u0000"},{}]}}`))
	f.Add([]byte(`{"type":"url_verification","challenge":"x"}`))
	f.Add([]byte(`{"user_id":"U1","command":"/x","is_enterprise_install":"false"}`))
	parsers := []func([]byte) (inbound, error){parseCommand, readCommand, parseInteraction, readInteraction, readEvent}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, parse := range parsers {
			in, err := parse(body)
			if err != nil || in.Kind == kindIgnored || in.Kind == kindChallenge {
				continue
			}
			r, err := in.request("slack/x")
			if err != nil {
				t.Fatalf("taken, but cannot be read again: %v\n%s", err, in.Body)
			}
			if r.Reply.User == "" {
				t.Fatalf("a request of nobody: %s", body)
			}
			if l := r.Links; l != nil && (len(l.URLs) == 0 || l.At.TS == "" || l.At.Channel == "COMPOSER" || r.Command != nil || r.Interaction != nil || r.Home != "") {
				t.Fatalf("links that cannot be unfurled: %s", body)
			}
		}
	})
}

// FuzzVerify: nothing but the right signature passes.
func FuzzVerify(f *testing.F) {
	f.Add("1531420618", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", []byte("x"))
	f.Add("", "v0=", []byte(nil))
	f.Fuzz(func(t *testing.T, ts, signature string, body []byte) {
		h := http.Header{"X-Slack-Request-Timestamp": {ts}, "X-Slack-Signature": {signature}}
		if _, ok := verify("8f742231b10e8888abcd99yyyzzz85a5", h, body, time.Unix(1531420618, 0)); ok {
			t.Fatalf("%q passes for %q at %q", signature, body, ts)
		}
	})
}

func TestSlacksOwnExampleOfASignature(t *testing.T) {
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	h := http.Header{"X-Slack-Request-Timestamp": {"1531420618"}, "X-Slack-Signature": {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}}
	if _, ok := verify("8f742231b10e8888abcd99yyyzzz85a5", h, []byte(body), time.Unix(1531420618, 0)); !ok {
		t.Error("it does not pass")
	}
}
