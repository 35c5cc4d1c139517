package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// typist notes who asked for what; the same key is one.
type typist struct {
	mu    sync.Mutex
	asked []string // "KEY EMAIL VIA TEXT", each key once
	err   error
}

func (t *typist) Answer(_ context.Context, key string, by workflows.Principal, text string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return "", t.err
	}
	if one := strings.Join([]string{key, by.Email, by.Via, text}, " "); !slices.Contains(t.asked, one) {
		t.asked = append(t.asked, one)
	}
	return "Done: <b>@all</b> " + text + ".\nSecond_line.", nil
}

func (t *typist) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.asked)
}

// notes are memos in memory; lost says that the next one is not durable.
type notes struct {
	mu   sync.Mutex
	all  map[string]string
	lost int
}

func (n *notes) Memo(_ context.Context, key string) ([]byte, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value, ok := n.all[key]
	return []byte(value), ok, nil
}

func (n *notes) Note(_ context.Context, key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lost > 0 {
		n.lost--
		return errors.New("the disk is full")
	}
	if n.all == nil {
		n.all = map[string]string{}
	}
	n.all[key] = string(value)
	if len(value) == 0 {
		delete(n.all, key)
	}
	return nil
}

func (e *engine) Finish(_ context.Context, key string, result []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.receipts[key]
	r.Done, r.Result = true, result
	e.keep(r)
	return nil
}

// talk is a pull request on which people comment.
type talk struct {
	t     *testing.T
	hub   *githubfake.Server
	e     *engine
	who   *typist
	notes *notes
	log   *logged
	hook  *Webhook
	n     int
	end   context.CancelFunc
}

func discuss(t *testing.T, story func(t *testing.T, d *talk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &talk{t: t, hub: githubfake.New(githubfake.Options{Token: token}), e: &engine{}, who: &typist{}, notes: &notes{}, log: &logged{}}
		d.hub.Keep(githubfake.Pull{Repository: "acme/webshop", Number: 7, Base: "main", Head: "cart", Commit: sha, Author: "ana-dev"})
		d.hub.Keep(githubfake.Pull{Repository: "acme/webshop", Number: 8, Base: "main", Head: "cart", HeadOwner: "mallory", Commit: sha, Author: "mallory"})
		d.start()
		story(t, d)
		d.end()
		synctest.Wait()
	})
}

// start begins a process beside what an earlier one left.
func (d *talk) start() {
	log := slog.New(slog.NewTextHandler(d.log, nil))
	c, err := NewComments(CommentOptions{Repositories: []string{"Acme/*"}, Command: "/rollcall", People: map[string]string{"Ana-Dev": "ana@acme.example"},
		Typist: d.who, Inbox: d.e, Notes: d.notes, Token: token, Transport: wirefake.Direct(d.hub), Log: log})
	if err == nil {
		d.hook, err = NewWebhook(WebhookOptions{Secret: secret, Engine: d.e, Comments: c, Log: log})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	d.end = cancel
	go func() { _ = c.Run(ctx) }()
}

// says delivers a comment under a delivery ID of its own, and lets some seconds pass.
func (d *talk) says(c githubfake.TypedComment) (int, string) {
	d.t.Helper()
	if c.Repository == "" {
		c.Repository = "acme/webshop"
	}
	if c.Number == 0 {
		c.Number = 7
	}
	if c.Login == "" {
		c.Login = "ana-dev"
	}
	d.n++
	r := request(string(c.Payload()), "issue_comment")
	r.Header.Set("X-GitHub-Delivery", fmt.Sprint("c-", d.n))
	r.URL.Path = webhookPath
	w := httptest.NewRecorder()
	d.hook.Handler().ServeHTTP(w, r)
	time.Sleep(5 * time.Second)
	synctest.Wait()
	return w.Code, strings.TrimSpace(w.Body.String())
}

// answers are the comments that rollcall wrote.
func (d *talk) answers() (all []string) {
	for _, c := range d.hub.Comments("acme/webshop", 0) {
		all = append(all, c.Body)
	}
	return all
}

func TestACommandInACommentIsCarriedOutAndAnsweredOnce(t *testing.T) {
	discuss(t, func(t *testing.T, d *talk) {
		c := githubfake.TypedComment{ID: 41, Text: "Looks good.\r\n/rollcall approve webshop#42 fine by me\r\nThanks"}
		for range 3 { // the repository's hook, the organization's, a redelivery
			d.says(c)
		}
		if got := d.who.all(); len(got) != 1 || got[0] != "github-comment/acme/webshop/41 ana@acme.example github approve webshop#42 fine by me" {
			t.Errorf("asked for %q", got)
		}
		const want = "> /rollcall approve webshop#42 fine by me\n\nDone: &lt;b&gt;@\u200ball&lt;/b&gt; approve webshop#42 fine by me.  \nSecond\\_line.\n\n<!-- rollcall answers comment 41 -->"
		if got := d.answers(); len(got) != 1 || got[0] != want {
			t.Errorf("answers %q", got)
		}
		if len(d.notes.all) != 0 {
			t.Errorf("notes are left: %v", d.notes.all)
		}
	})
}

func TestCommentsThatDoNothing(t *testing.T) {
	const order = "/rollcall start webshop"
	for _, c := range []struct {
		about   string
		comment githubfake.TypedComment
		ignored string // else
		answers string
	}{
		{"edited", githubfake.TypedComment{Text: order, Action: "edited"}, "edited does nothing", ""},
		{"deleted", githubfake.TypedComment{Text: order, Action: "deleted"}, "deleted does nothing", ""},
		{"on an issue", githubfake.TypedComment{Text: order, OnIssue: true}, "not on a pull request", ""},
		{"of a bot", githubfake.TypedComment{Text: order, Login: "ana-dev", Type: "Bot"}, "a program wrote it", ""},
		{"of an app in somebody's name", githubfake.TypedComment{Text: order, App: "helper"}, "a program wrote it", ""},
		{"in another repository", githubfake.TypedComment{Text: order, Repository: "other/webshop"}, "github.comments does not name other/webshop", ""},
		{"without a command", githubfake.TypedComment{Text: "I would /rollcall start webshop"}, "no line of it is a command", ""},
		{"another word", githubfake.TypedComment{Text: "/rollcalls start webshop"}, "no line of it is a command", ""},
		{"quoted", githubfake.TypedComment{Text: "> /rollcall start webshop"}, "no line of it is a command", ""},
		{"in code", githubfake.TypedComment{Text: "```sh\n/rollcall start webshop\n```"}, "no line of it is a command", ""},
		{"indented code", githubfake.TypedComment{Text: "    /rollcall start webshop"}, "no line of it is a command", ""},
		{"old", githubfake.TypedComment{Text: order, CreatedAt: time.Date(1999, 12, 20, 0, 0, 0, 0, time.UTC)}, "older than six days", ""},
		{"an answer of ours", githubfake.TypedComment{Text: order + "\n<!-- rollcall answers comment 4 -->"}, "an answer of rollcall", ""},
		{"a fork's, of a stranger", githubfake.TypedComment{Text: order, Number: 8, Login: "mallory"}, "", ""},
		{"a fork's", githubfake.TypedComment{Text: order, Number: 8}, "", "comes from a fork"},
		{"of somebody unknown", githubfake.TypedComment{Text: order, Login: "mallory"}, "", "does not know who mallory is"},
		{"several commands", githubfake.TypedComment{Text: order + "\n/rollcall status"}, "", "several commands"},
		{"a pull request that is gone", githubfake.TypedComment{Text: order, Number: 9}, "", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			discuss(t, func(t *testing.T, d *talk) {
				c.comment.ID = 41
				status, answer := d.says(c.comment)
				if c.ignored != "" && (status != 200 || !strings.Contains(answer, c.ignored) || len(d.e.receipts) != 0) || c.ignored == "" && status != 202 {
					t.Errorf("answer %d %s, %d receipts", status, answer, len(d.e.receipts))
				}
				if got := d.who.all(); len(got) != 0 {
					t.Errorf("asked for %q", got)
				}
				said := strings.Join(d.answers(), "\n")
				if (said == "") != (c.answers == "") || !strings.Contains(said, c.answers) {
					t.Errorf("answers %q, want %q", said, c.answers)
				}
				for key, r := range d.e.receipts {
					if !r.Done {
						t.Errorf("%s is still open", key)
					}
				}
			})
		})
	}
}

func TestWithoutCommentsTheyAreIgnored(t *testing.T) {
	address, e, _ := listen(t)
	status, answer := send(t, address, request(string(githubfake.TypedComment{Repository: "acme/webshop", Number: 7, ID: 1, Text: "/rollcall start webshop", Login: "ana-dev"}.Payload()), "issue_comment"))
	if status != 200 || !strings.Contains(answer, "nobody listens") || len(e.receipts) != 0 {
		t.Errorf("answer %d %s", status, answer)
	}
}

// Whatever is lost (an answer of GitHub, a note, the process), a command is carried
// out once and answered once.
func TestTroubleWhileACommentIsAnswered(t *testing.T) {
	const comments = "POST /repos/acme/webshop/issues/7/comments"
	for about, spoil := range map[string]func(d *talk){
		"GitHub is away":              func(d *talk) { d.hub.Faults.Set(fault.Fault{Status: 502, Times: 5}) },
		"the answer's answer is lost": func(d *talk) { d.hub.Faults.Set(fault.Fault{Match: comments, Cut: true, After: true, Times: 1}) },
		"the answer gets lost":        func(d *talk) { d.hub.Faults.Set(fault.Fault{Match: comments, Cut: true, Times: 2}) },
		"the limit is reached": func(d *talk) {
			d.hub.Faults.Set(fault.Fault{Match: comments, Status: 429, RetryAfter: 20 * time.Second, Times: 2})
		},
		"nothing can be noted":          func(d *talk) { d.notes.mu.Lock(); d.notes.lost = 3; d.notes.mu.Unlock() },
		"the engine cannot answer":      func(d *talk) { d.who.mu.Lock(); d.who.err = errors.New("the store is away"); d.who.mu.Unlock() },
		"it ends while GitHub is asked": func(d *talk) { d.hub.Faults.Set(fault.Fault{Match: comments, Hang: true, After: true, Times: 1}) },
	} {
		t.Run(about, func(t *testing.T) {
			discuss(t, func(t *testing.T, d *talk) {
				spoil(d)
				d.says(githubfake.TypedComment{ID: 41, Text: "/rollcall start webshop"})
				d.end() // killed, and started again
				synctest.Wait()
				time.Sleep(time.Minute)
				d.who.mu.Lock()
				d.who.err = nil
				d.who.mu.Unlock()
				d.start()
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if got := d.who.all(); len(got) != 1 {
					t.Errorf("asked for %q", got)
				}
				if got := d.answers(); len(got) != 1 {
					t.Errorf("answers %q", got)
				}
				d.e.mu.Lock()
				defer d.e.mu.Unlock()
				if r := d.e.receipts["github-comment/acme/webshop/41"]; !r.Done {
					t.Errorf("the receipt is open: %+v", r)
				}
			})
		})
	}
}

// Where GitHub does not let rollcall write, the command is carried out all the same, once.
func TestAnswersThatMayNotBeWritten(t *testing.T) {
	discuss(t, func(t *testing.T, d *talk) {
		d.hub.Faults.Set(fault.Fault{Match: "POST /repos/acme/webshop/issues/7/comments", Status: 403, Body: `{"message":"Resource not accessible by integration"}`})
		d.says(githubfake.TypedComment{ID: 41, Text: "/rollcall start webshop"})
		if len(d.who.all()) != 1 || len(d.answers()) != 0 || !strings.Contains(d.log.String(), "Pull requests: write") {
			t.Errorf("asked %q, answered %q, log %s", d.who.all(), d.answers(), d.log)
		}
		if r := d.e.receipts["github-comment/acme/webshop/41"]; !r.Done {
			t.Errorf("the receipt is open: %+v", r)
		}
	})
}
