package bitbucket

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	before = "95790bf891e76fee5e1747ab589903a6a1f80f22"
	after  = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
	none   = "0000000000000000000000000000000000000000"
)

type object = map[string]any

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func person(name string) object {
	return object{"display_name": name, "nickname": strings.ToLower(name), "account_id": "557058:" + name, "uuid": "{" + name + "}", "type": "user"}
}

func commitOf(hash, message, name string) object {
	return object{"hash": hash, "type": "commit", "message": message, "author": object{"raw": name + " <" + strings.ToLower(name) + "@acme.example>", "user": person(name)}, "date": "2026-11-30T10:00:00+00:00",
		"links": object{"html": object{"href": "https://bitbucket.org/acme/shop/commits/" + hash}}}
}

func refOf(kind, name, hash string) object {
	return object{"type": kind, "name": name, "target": commitOf(hash, "Fix it\n\nmore", "Ana")}
}

// cloud is a push as Bitbucket Cloud writes it.
func cloud(changes ...any) string {
	return text(object{"actor": person("Cho"), "repository": object{"full_name": "acme/shop", "type": "repository", "uuid": "{r}"}, "push": object{"changes": changes}})
}

func moved(set object) object {
	c := object{"old": refOf("branch", "main", before), "new": refOf("branch", "main", after), "created": false, "closed": false, "forced": false, "truncated": false,
		"commits": []any{commitOf(after, "Fix it\n\nmore", "Ana"), commitOf("b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327", "Update", "Ben")}}
	for k, v := range set {
		c[k] = v
	}
	return c
}

func pullRequest(set object) string {
	p := object{"id": 7, "title": "Better", "state": "OPEN", "updated_on": "2026-11-30T17:01:11.532546+00:00", "author": person("Ana"), "links": object{"html": object{"href": "https://bitbucket.org/acme/shop/pull-requests/7"}},
		"source":      object{"branch": object{"name": "feature/x"}, "commit": object{"hash": "507a576e59b3"}, "repository": object{"full_name": "acme/shop"}},
		"destination": object{"branch": object{"name": "main"}, "commit": object{"hash": "7d1a175411ef"}, "repository": object{"full_name": "acme/shop"}}}
	for k, v := range set {
		p[k] = v
	}
	return text(object{"actor": person("Cho"), "repository": object{"full_name": "acme/shop"}, "pullrequest": p})
}

func user(name string) object {
	return object{"name": strings.ToLower(name), "emailAddress": strings.ToLower(name) + "@acme.example", "displayName": name, "slug": strings.ToLower(name), "id": 1}
}

func own(slug string) object { return object{"slug": slug, "project": object{"key": "SHOP"}} }

// dataCenter is a push as Bitbucket Data Center writes it.
func dataCenter(changes ...any) string {
	return text(object{"eventKey": "repo:refs_changed", "date": "2026-11-30T19:01:11+0200", "actor": user("Cho"), "repository": own("web"), "changes": changes,
		"commits": []any{object{"id": after, "message": "Fix it\n\nmore", "author": user("Ana")}, object{"id": before, "message": "x", "author": user("Ben")}}})
}

func refMoved(id, kind, from, to string) object {
	return object{"ref": object{"id": id, "displayId": id[strings.LastIndex(id, "/")+1:], "type": "BRANCH"}, "refId": id, "fromHash": from, "toHash": to, "type": kind}
}

func ownPullRequest(from object) string {
	side := object{"id": "refs/heads/feature/x", "displayId": "feature/x", "latestCommit": after, "repository": own("web")}
	for k, v := range from {
		side[k] = v
	}
	return text(object{"date": "2026-11-30T19:01:11+0200", "actor": user("Cho"), "pullRequest": object{"id": 7, "title": "Better", "fromRef": side, "createdDate": "2026-11-30T19:01:11+0200",
		"toRef": object{"id": "refs/heads/main", "displayId": "main", "latestCommit": before, "repository": own("web")}, "author": object{"user": user("Ana")},
		"links": object{"self": []any{object{"href": "https://git.example/projects/SHOP/repos/web/pull-requests/7"}}}}})
}

func TestPayloads(t *testing.T) {
	ana := workflows.Author{Name: "Ana", Email: "ana@acme.example", Login: "557058:Ana"}
	push := work.Change{Provider: "Bitbucket", Event: "push", Repository: "acme/shop", Branch: "main", Commit: after, Before: before, Commits: []string{"b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327", after},
		Summary: "Fix it", URL: "https://bitbucket.org/acme/shop/commits/" + after, Author: &ana, Authors: []workflows.Author{{Name: "Ben", Email: "ben@acme.example", Login: "557058:Ben"}},
		By: workflows.Principal{ID: "bitbucket:557058:Cho", Name: "Cho", Via: "bitbucket"}}
	created, tag := push, push
	created.Branch, created.Before, created.Created = "next", "", true
	tag.Branch, tag.Tag, tag.Before, tag.Created, tag.Commits, tag.Authors = "", "v1.0", "", true, []string{after}, nil
	at := time.Date(2026, 11, 30, 17, 1, 11, 0, time.UTC)
	pull := work.Change{Provider: "Bitbucket", Event: "pull_request", PullEvent: "OPEN", Repository: "acme/shop", Number: 7, Branch: "main", HeadBranch: "feature/x", Commit: "507a576e59b3", Summary: "Better",
		URL: "https://bitbucket.org/acme/shop/pull-requests/7", Author: &workflows.Author{Name: "Ana", Login: "557058:Ana"}, By: push.By, At: at.Add(532546 * time.Microsecond)}
	updated, closed, fork := pull, pull, pull
	updated.PullEvent, closed.PullEvent, fork.Fork = "UPDATED", "CLOSED", true

	ownAna := workflows.Author{Name: "Ana", Email: "ana@acme.example", Login: "ana"}
	cho := workflows.Principal{ID: "bitbucket:cho", Name: "Cho", Email: "cho@acme.example", Via: "bitbucket"}
	refs := work.Change{Provider: "Bitbucket", Event: "push", Repository: "SHOP/web", Branch: "main", Commit: after, Before: before, Summary: "Fix it", Author: &ownAna,
		Authors: []workflows.Author{{Name: "Ben", Email: "ben@acme.example", Login: "ben"}}, By: cho, At: at}
	other := work.Change{Provider: "Bitbucket", Event: "push", Repository: "SHOP/web", Tag: "v1.0", Commit: "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7", Created: true, By: cho, At: at}
	ownPull := work.Change{Provider: "Bitbucket", Event: "pull_request", PullEvent: "OPEN", Repository: "SHOP/web", Number: 7, Branch: "main", HeadBranch: "feature/x", Commit: after, Summary: "Better",
		URL: "https://git.example/projects/SHOP/repos/web/pull-requests/7", Author: &ownAna, By: cho, At: at}
	ownClosed, ownFork := ownPull, ownPull
	ownClosed.PullEvent, ownFork.Fork = "CLOSED", true

	for name, c := range map[string]struct {
		event, body string
		want        []work.Change
		ignored     string
		fails       string
	}{
		"a push":                {"repo:push", cloud(moved(nil)), []work.Change{push}, "", ""},
		"several":               {"repo:push", cloud(moved(nil), moved(object{"old": nil, "new": refOf("branch", "next", after), "created": true})), []work.Change{push, created}, "", ""},
		"a tag":                 {"repo:push", cloud(moved(object{"old": nil, "new": refOf("annotated_tag", "v1.0", after), "created": true, "commits": nil})), []work.Change{tag}, "", ""},
		"a branch that is gone": {"repo:push", cloud(moved(object{"new": nil, "closed": true})), nil, `"main" was deleted`, ""},
		"gone beside a push":    {"repo:push", cloud(moved(object{"new": nil}), moved(nil)), []work.Change{push}, "was deleted", ""},
		"a bookmark":            {"repo:push", cloud(moved(object{"new": refOf("bookmark", "x", after)})), nil, "neither a branch nor a tag", ""},
		"no change":             {"repo:push", cloud(), nil, "", ""},
		"a short commit":        {"repo:push", cloud(moved(object{"new": refOf("branch", "main", "da1560886d4f")})), nil, "", "no commit"},
		"a path":                {"repo:push", `{"repository":{"full_name":"acme/../x"}}`, nil, "", "is not a repository"},
		"another type":          {"repo:push", `{"push":1}`, nil, "", "unexpected type"},
		"opened":                {"pullrequest:created", pullRequest(nil), []work.Change{pull}, "", ""},
		"updated":               {"pullrequest:updated", pullRequest(nil), []work.Change{updated}, "", ""},
		"merged":                {"pullrequest:fulfilled", pullRequest(nil), []work.Change{closed}, "", ""},
		"declined":              {"pullrequest:rejected", pullRequest(nil), []work.Change{closed}, "", ""},
		"approved":              {"pullrequest:approved", pullRequest(nil), nil, "nobody listens", ""},
		"a fork":                {"pullrequest:created", pullRequest(object{"source": object{"branch": object{"name": "feature/x"}, "commit": object{"hash": "507a576e59b3"}, "repository": object{"full_name": "eve/shop"}}}), []work.Change{fork}, "", ""},
		"a fork that is gone":   {"pullrequest:created", pullRequest(object{"source": object{"branch": object{"name": "feature/x"}, "commit": object{"hash": "507a576e59b3"}, "repository": nil}}), []work.Change{fork}, "", ""},
		"no head":               {"pullrequest:created", pullRequest(object{"source": object{"commit": nil}}), nil, "", "names no commit"},

		"data center's push":    {"repo:refs_changed", dataCenter(refMoved("refs/heads/main", "UPDATE", before, after)), []work.Change{refs}, "", ""},
		"data center's several": {"repo:refs_changed", dataCenter(refMoved("refs/heads/main", "UPDATE", before, after), refMoved("refs/tags/v1.0", "ADD", none, "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7"), refMoved("refs/heads/old", "DELETE", before, none)), []work.Change{refs, other}, `"old" was deleted`, ""},
		"data center's note":    {"repo:refs_changed", dataCenter(refMoved("refs/notes/x", "UPDATE", before, after)), nil, "neither a branch nor a tag", ""},
		"data center's opened":  {"pr:opened", ownPullRequest(nil), []work.Change{ownPull}, "", ""},
		"data center's merged":  {"pr:merged", ownPullRequest(nil), []work.Change{ownClosed}, "", ""},
		"data center's deleted": {"pr:deleted", ownPullRequest(nil), []work.Change{ownClosed}, "", ""},
		"data center's title":   {"pr:modified", ownPullRequest(nil), nil, "nobody listens", ""},
		"data center's fork":    {"pr:opened", ownPullRequest(object{"repository": object{"slug": "web", "project": object{"key": "~EVE"}}}), []work.Change{ownFork}, "", ""},
		"data center's nothing": {"pr:opened", `{}`, nil, "", "is not a repository"},

		"no event":       {"", `{}`, nil, "nobody listens", ""},
		"a list":         {"repo:push", `[]`, nil, "", "not a JSON object"},
		"a list of none": {"repo:fork", `[]`, nil, "", "not a JSON object"},
	} {
		h := http.Header{}
		h.Set("X-Event-Key", c.event)
		h.Set("X-Request-UUID", "{7e1b}")
		d, err := read(h, []byte(c.body), "print")
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)), c.fails == "" && err != nil:
			t.Errorf("%s: %v, want %q", name, err, c.fails)
		case !strings.Contains(d.Ignored, c.ignored), d.ID != "7e1b", d.Print != "print":
			t.Errorf("%s: %+v", name, d)
		case c.fails == "":
			if diff := cmp.Diff(c.want, d.Changes); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if len(c.want) > 0 && !d.At.Equal(c.want[0].At) {
				t.Errorf("%s: at %s", name, d.At)
			}
		}
	}
}

// engine takes everything.
type engine struct{ pushes.Engine }

func (engine) Pending(context.Context, string) ([]work.Receipt, error) { return nil, nil }
func (engine) NeedsFiles(context.Context, work.Change) (bool, error)   { return false, nil }
func (engine) Receive(_ context.Context, r work.Receipt, _ []work.Change) (work.Receipt, bool, error) {
	r.Result = []byte(`{"started":["shop#1"],"ignored":[]}`)
	return r, true, nil
}

func TestWhoMayDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := cloud(moved(nil))
		sign := func(secret string) string { return wire.Sign([]byte(secret), []byte(body)) }
		for name, c := range map[string]struct {
			header map[string]string
			code   int
		}{
			"Cloud":          {map[string]string{"X-Hub-Signature": sign("s3cret"), "X-Request-UUID": "a"}, 202},
			"Data Center":    {map[string]string{"X-Hub-Signature": sign("s3cret"), "X-Request-Id": "a"}, 202},
			"no ID":          {map[string]string{"X-Hub-Signature": sign("s3cret")}, 202},
			"another secret": {map[string]string{"X-Hub-Signature": sign("s3cret2"), "X-Request-UUID": "a"}, 401},
			"not signed":     {map[string]string{"X-Request-UUID": "a"}, 401},
			"sha1":           {map[string]string{"X-Hub-Signature": strings.Replace(sign("s3cret"), "sha256", "sha1", 1), "X-Request-UUID": "a"}, 401},
			"a trial":        {map[string]string{"X-Event-Key": "diagnostics:ping"}, 200},
		} {
			r, err := NewWebhook("s3cret", pushes.Options{Engine: engine{}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequest(http.MethodPost, "/bitbucket/webhook", strings.NewReader(body))
			req.Header.Set("X-Event-Key", "repo:push")
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			if r.Handler().ServeHTTP(w, req); w.Code != c.code {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		if _, err := NewWebhook("", pushes.Options{}); err == nil {
			t.Error("an empty secret was taken")
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("repo:push", cloud(moved(nil)))
	f.Add("pullrequest:created", pullRequest(nil))
	f.Add("repo:refs_changed", dataCenter(refMoved("refs/heads/main", "UPDATE", before, after)))
	f.Add("pr:opened", ownPullRequest(nil))
	f.Fuzz(func(t *testing.T, event, body string) {
		h := http.Header{}
		h.Set("X-Event-Key", event)
		d, err := read(h, []byte(body), "f")
		for _, c := range d.Changes {
			if !pushes.IsCommit(c.Commit) && !pushes.IsShort(c.Commit) || !pushes.IsRepository(c.Repository, 2, 2) || c.Branch+c.Tag == "" || c.Provider != Vendor || err != nil && c.Event != "push" {
				t.Errorf("%+v %v", c, err)
			}
		}
	})
}
