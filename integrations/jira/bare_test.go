package jira

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
)

// bare is a Jira, or a proxy before one, that lacks a call.
type bare struct {
	next   http.RoundTripper
	lacks  *regexp.Regexp // by method and path
	status int
	body   string
	after  bool // it is carried out nevertheless
}

func (b *bare) RoundTrip(r *http.Request) (*http.Response, error) {
	if !b.lacks.MatchString(r.Method + " " + r.URL.Path) {
		return b.next.RoundTrip(r)
	}
	if b.after {
		resp, err := b.next.RoundTrip(r)
		if err != nil {
			return resp, err
		}
		_ = resp.Body.Close()
	}
	return &http.Response{StatusCode: b.status, Status: http.StatusText(b.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(b.body)), ContentLength: int64(len(b.body)), Request: r}, nil
}

// lacking are answers of what does not know a call.
var lacking = []bare{{status: 400}, {status: 403}, {status: 404}, {status: 405}, {status: 410}, {status: 500}, {status: 501}, {status: 200}, {status: 200, body: "<html>"}}

// Whatever a ticket does not need may be missing, in whatever way: there is a
// ticket, it counts, and its executions say so within seconds.
func TestATicketNeedsNothingButItsCreation(t *testing.T) {
	for _, call := range []string{
		`GET /rest/api/./serverInfo`, `GET /rest/api/./myself`, `/createmeta`, `GET /rest/api/.*/search`, `(PUT|GET) /rest/api/3/`, ` /rest/api/3/`,
		`PUT .*/comment/`, `GET .*/comment$`, `issueLinkType`, `POST .*/issueLink$`, `GET .*/transitions`, `POST .*/transitions`,
		`serverInfo|myself|createmeta|search| /rest/api/3/|PUT .*/comment/|GET .*/comment|issueLink|transitions`,
	} {
		for _, how := range lacking {
			if strings.HasSuffix(call, " /rest/api/3/") && how.status == 500 {
				continue // it may have been carried out: that is no call to repeat elsewhere at once
			}
			if (strings.HasSuffix(call, "/rest/api/3/") || strings.HasPrefix(call, "PUT")) && how.status == 200 || strings.HasPrefix(call, "serverInfo|") && how.status == 200 {
				continue // nobody can know that this made no issue
			}
			t.Run(fmt.Sprintf("%s %d%s", call, how.status, how.body), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t, jirafake.Options{OnPremise: strings.HasPrefix(call, "serverInfo|")})
					how.next, how.lacks = h.line, regexp.MustCompile(call)
					h.line = &how
					h.pipeline.Ticket.CloseOnSuccess = "Done"
					h.fail(h.start(45), "ActionFailed")
					took := h.catchUp()
					h.fail(h.start(46), "ActionFailed")
					took += h.catchUp()
					i := h.only()
					if said := strings.Join(i.Comments, "\n"); !strings.Contains(said, "2 times") || len(i.Comments) != 1 {
						t.Errorf("comments %q", i.Comments)
					}
					h.fail(h.start(47), "ActionFailed")
					took += h.catchUp()
					i = h.only()
					if said := strings.Join(i.Comments, "\n"); !strings.Contains(said, "3 times") || len(i.Comments) > 2 {
						t.Errorf("comments %q", i.Comments)
					}
					h.succeed(h.start(48))
					took += h.catchUp()
					if _, err := h.jira.Move(t.Context(), i.Key, "Done"); err != nil {
						t.Fatal(err)
					}
					h.fail(h.start(49), "ActionFailed")
					took += h.catchUp()
					if all := h.jira.Issues(); len(all) != 2 || !strings.Contains(all[1].Description, "OPS-1") {
						t.Errorf("issues %+v", all)
					}
					for _, n := range []int{45, 46, 47, 49} {
						if h.note(n).State != "done" {
							t.Errorf("note %d: %+v", n, h.note(n))
						}
					}
					if took > 100*time.Second {
						t.Errorf("it took %s", took)
					}
					if strings.Contains(h.log.String(), token) {
						t.Error("the token is in the log")
					}
				})
			})
		}
	}
}

// written is a Jira whose answers are written otherwise.
type written struct {
	next    http.RoundTripper
	rewrite func(r *http.Request, body []byte) []byte
}

func (w *written) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	body = w.rewrite(r, body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, err
}

// IDs are texts, or numbers, or not said: nothing comes twice because of that.
func TestIDsOfAnyForm(t *testing.T) {
	ids := regexp.MustCompile(`"id":\s*"(\d+)"`)
	for name, rewrite := range map[string]func(r *http.Request, body []byte) []byte{
		"numbers": func(_ *http.Request, body []byte) []byte { return ids.ReplaceAll(body, []byte(`"id":$1`)) },
		"none of a comment": func(r *http.Request, body []byte) []byte {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comment") {
				return []byte(`{}`)
			}
			return body
		},
		"no answer to a comment": func(r *http.Request, body []byte) []byte {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comment") {
				return nil
			}
			return body
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, jirafake.Options{})
			h.line = &written{next: h.line, rewrite: rewrite}
			h.pipeline.Ticket.CloseOnSuccess = "Done"
			for n := 45; n < 49; n++ {
				h.fail(h.start(n), "ActionFailed")
				h.catchUp()
			}
			if i := h.only(); len(i.Comments) != 1 || !strings.Contains(i.Comments[0], "4 times") {
				t.Errorf("comments %q", i.Comments)
			}
			h.succeed(h.start(50))
			h.catchUp()
			if i := h.only(); len(i.Comments) != 2 || i.Status != "Done" {
				t.Errorf("status %s, comments %q", i.Status, i.Comments)
			}
		})
	}
}
