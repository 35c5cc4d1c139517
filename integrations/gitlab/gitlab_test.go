package gitlab

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/integrations/wire/pushes"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	before = "95790bf891e76fee5e1747ab589903a6a1f80f22"
	after  = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
	none   = "0000000000000000000000000000000000000000"
)

// pushed is a push as GitLab writes it, with what differs set.
func pushed(set map[string]any) string {
	p := map[string]any{
		"object_kind": "push", "event_name": "push", "before": before, "after": after, "ref": "refs/heads/main", "checkout_sha": after, "user_id": 4,
		"user_name": "Ana Lopez", "user_username": "ana", "user_email": "", "project_id": 15, "total_commits_count": 2,
		"project": map[string]any{"id": 15, "web_url": "https://gitlab.com/acme/team/shop", "path_with_namespace": "acme/team/shop", "ci_config_path": nil},
		"commits": []any{
			map[string]any{"id": "b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327", "message": "Update\n\nmore", "timestamp": "2026-11-30T14:27:31+02:00", "url": "https://x/1", "author": map[string]any{"name": "Ben", "email": "ben@acme.example"}, "added": []any{"a"}},
			map[string]any{"id": after, "message": "Fix it\n\nmore", "timestamp": "2026-11-30T14:27:31+02:00", "url": "https://x/2", "author": map[string]any{"name": "Ana", "email": "ana@acme.example"}, "modified": []any{"b"}},
		},
	}
	for k, v := range set {
		p[k] = v
	}
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func merge(action string, set map[string]any) string {
	a := map[string]any{
		"iid": 7, "action": action, "title": "Better", "url": "https://gitlab.com/acme/team/shop/-/merge_requests/7", "updated_at": "2026-11-30 17:01:11 UTC", "source_branch": "feature", "target_branch": "main",
		"source_project_id": 15, "target_project_id": 15, "source": map[string]any{"path_with_namespace": "acme/team/shop"}, "target": map[string]any{"path_with_namespace": "acme/team/shop"},
		"last_commit": map[string]any{"id": after, "author": map[string]any{"name": "Ana", "email": "ana@acme.example"}},
	}
	for k, v := range set {
		a[k] = v
	}
	raw, err := json.Marshal(map[string]any{"object_kind": "merge_request", "user": map[string]any{"name": "Cho", "username": "cho", "email": "[REDACTED]"},
		"project": map[string]any{"path_with_namespace": "acme/team/shop"}, "object_attributes": a})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestPayloads(t *testing.T) {
	by := workflows.Principal{ID: "gitlab:ana", Name: "Ana Lopez", Via: "gitlab"}
	ana, ben := workflows.Author{Name: "Ana", Email: "ana@acme.example"}, workflows.Author{Name: "Ben", Email: "ben@acme.example"}
	push := work.Change{Provider: "GitLab", Event: "push", Repository: "acme/team/shop", Branch: "main", Commit: after, Before: before, Commits: []string{"b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327", after},
		Summary: "Fix it", URL: "https://x/2", Author: &ana, Authors: []workflows.Author{ben}, By: by}
	created, tag := push, push
	created.Before, created.Created = "", true
	tag.Branch, tag.Tag, tag.Before, tag.Created, tag.Commits, tag.Authors, tag.Author, tag.Summary, tag.URL = "", "v1.0", "", true, nil, nil, nil, "", "https://gitlab.com/acme/team/shop/-/commit/"+after
	at := time.Date(2026, 11, 30, 17, 1, 11, 0, time.UTC)
	pull := work.Change{Provider: "GitLab", Event: "pull_request", PullEvent: "OPEN", Repository: "acme/team/shop", Number: 7, Branch: "main", HeadBranch: "feature", Commit: after, Summary: "Better",
		URL: "https://gitlab.com/acme/team/shop/-/merge_requests/7", Author: &ana, By: workflows.Principal{ID: "gitlab:cho", Name: "Cho", Via: "gitlab"}, At: at}
	is := func(kind string) *work.Change { c := pull; c.PullEvent = kind; return &c }
	fork := pull
	fork.Fork = true
	for name, c := range map[string]struct {
		body    string
		want    *work.Change
		ignored string
		fails   string
	}{
		"a push":                 {pushed(nil), &push, "", ""},
		"a system hook's push":   {pushed(map[string]any{"object_kind": ""}), &push, "", ""},
		"a new branch":           {pushed(map[string]any{"before": none}), &created, "", ""},
		"a branch that is gone":  {pushed(map[string]any{"after": none, "checkout_sha": nil, "commits": []any{}}), nil, "was deleted", ""},
		"an annotated tag":       {pushed(map[string]any{"object_kind": "tag_push", "ref": "refs/tags/v1.0", "before": none, "after": "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7", "commits": []any{}}), &tag, "", ""},
		"a tag that is gone":     {pushed(map[string]any{"object_kind": "tag_push", "ref": "refs/tags/v1.0", "after": none, "checkout_sha": nil}), nil, "was deleted", ""},
		"another ref":            {pushed(map[string]any{"ref": "refs/keep-around/x"}), nil, "neither a branch nor a tag", ""},
		"an opened request":      {merge("open", nil), is("OPEN"), "", ""},
		"a reopened request":     {merge("reopen", nil), is("OPEN"), "", ""},
		"a request with commits": {merge("update", map[string]any{"oldrev": before}), is("UPDATED"), "", ""},
		"a request's new title":  {merge("update", nil), nil, "starts nothing", ""},
		"a merged request":       {merge("merge", nil), is("CLOSED"), "", ""},
		"a closed request":       {merge("close", nil), is("CLOSED"), "", ""},
		"an approved request":    {merge("approved", nil), nil, "starts nothing", ""},
		"a fork's request":       {merge("open", map[string]any{"source": map[string]any{"path_with_namespace": "eve/shop"}, "source_project_id": 16}), &fork, "", ""},
		"a fork by its number":   {merge("open", map[string]any{"source_project_id": 16}), &fork, "", ""},
		"a fork that is gone":    {merge("open", map[string]any{"source": nil, "source_project_id": nil}), &fork, "", ""},
		"a pipeline":             {`{"object_kind":"pipeline"}`, nil, "nobody listens", ""},
		"a system's project":     {`{"event_name":"project_create"}`, nil, "nobody listens", ""},
		"nothing":                {`{}`, nil, "", "no object_kind"},
		"a list":                 {`[]`, nil, "", "not a JSON object"},
		"another type":           {pushed(map[string]any{"ref": 1}), nil, "", "unexpected type"},
		"no project":             {pushed(map[string]any{"project": nil}), nil, "", "is not a project"},
		"a path in the project":  {pushed(map[string]any{"project": map[string]any{"path_with_namespace": "acme/../x"}}), nil, "", "is not a project"},
		"no commit":              {pushed(map[string]any{"after": "main"}), nil, "", "no commit"},
		"no branch":              {pushed(map[string]any{"ref": "refs/heads/"}), nil, "", "no branch"},
		"a request's short ID":   {merge("open", map[string]any{"last_commit": map[string]any{"id": "abc"}}), nil, "", "names no commit"},
	} {
		d, err := read(http.Header{"Idempotency-Key": {"k"}}, []byte(c.body), "f")
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)), c.fails == "" && err != nil:
			t.Errorf("%s: %v, want %q", name, err, c.fails)
		case !strings.Contains(d.Ignored, c.ignored), (len(d.Changes) == 1) != (c.want != nil), c.fails == "" && d.ID != "k":
			t.Errorf("%s: %+v", name, d)
		case c.want != nil:
			if diff := cmp.Diff(*c.want, d.Changes[0]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if c.want.Event == "pull_request" && !d.At.Equal(at) {
				t.Errorf("%s: at %s", name, d.At)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		header map[string]string
		want   string
	}{
		{map[string]string{"Idempotency-Key": "i", "X-Gitlab-Event-UUID": "e"}, "i"},
		{map[string]string{"X-Gitlab-Event-UUID": "e"}, "e-print"}, // events that follow from one another share it
		{map[string]string{"Webhook-Id": "w", "Idempotency-Key": "w"}, "w"},
		{nil, "body-print"},
	} {
		h := http.Header{}
		for k, v := range c.header {
			h.Set(k, v)
		}
		if got := idOf(h, "print"); got != c.want {
			t.Errorf("%v: %q", c.header, got)
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

func signed(key []byte, id string, at int64, body string) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestWhoMayDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := []byte("0123456789abcdef0123456789abcdef")
		token := "whsec_" + base64.StdEncoding.EncodeToString(key)
		now := time.Now().Unix()
		body := pushed(nil)
		at := fmt.Sprint(now)
		for name, c := range map[string]struct {
			secret string
			header map[string]string
			code   int
		}{
			"the token":                 {"s3cret", map[string]string{"X-Gitlab-Token": "s3cret"}, 202},
			"another token":             {"s3cret", map[string]string{"X-Gitlab-Token": "s3cret2"}, 401},
			"no token":                  {"s3cret", nil, 401},
			"a signature for the token": {"s3cret", map[string]string{"Webhook-Signature": signed([]byte("s3cret"), "k", now, body), "Webhook-Id": "k", "Webhook-Timestamp": at}, 401},
			"a signature":               {token, map[string]string{"Webhook-Signature": signed(key, "k", now, body), "Webhook-Id": "k", "Webhook-Timestamp": at}, 202},
			"the second of two":         {token, map[string]string{"Webhook-Signature": "v1,AAAA " + signed(key, "k", now, body), "Webhook-Id": "k", "Webhook-Timestamp": at}, 202},
			"the signing token sent":    {token, map[string]string{"X-Gitlab-Token": token}, 401},
			"another key":               {token, map[string]string{"Webhook-Signature": signed([]byte("0123456789abcdef"), "k", now, body), "Webhook-Id": "k", "Webhook-Timestamp": at}, 401},
			"another ID":                {token, map[string]string{"Webhook-Signature": signed(key, "j", now, body), "Webhook-Id": "k", "Webhook-Timestamp": at}, 401},
			"another body":              {token, map[string]string{"Webhook-Signature": signed(key, "k", now, body+" "), "Webhook-Id": "k", "Webhook-Timestamp": at}, 401},
			"a week ago":                {token, map[string]string{"Webhook-Signature": signed(key, "k", now-7*86400, body), "Webhook-Id": "k", "Webhook-Timestamp": fmt.Sprint(now - 7*86400)}, 401},
			"no time":                   {token, map[string]string{"Webhook-Signature": signed(key, "k", now, body), "Webhook-Id": "k"}, 401},
			"another scheme":            {token, map[string]string{"Webhook-Signature": strings.Replace(signed(key, "k", now, body), "v1,", "v2,", 1), "Webhook-Id": "k", "Webhook-Timestamp": at}, 401},
			"no ID, but its body":       {"s3cret", map[string]string{"X-Gitlab-Token": "s3cret", "Idempotency-Key": "-"}, 202},
		} {
			r, err := NewWebhook(c.secret, pushes.Options{Engine: engine{}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequest(http.MethodPost, "/gitlab/webhook", strings.NewReader(body))
			req.Header.Set("Idempotency-Key", "k")
			for k, v := range c.header {
				if req.Header.Set(k, v); v == "-" {
					req.Header.Del(k)
				}
			}
			w := httptest.NewRecorder()
			if r.Handler().ServeHTTP(w, req); w.Code != c.code || strings.Contains(w.Body.String(), c.secret) {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		for _, secret := range []string{"", "whsec_", "whsec_!!", "whsec_AAAA"} {
			if _, err := NewWebhook(secret, pushes.Options{}); err == nil {
				t.Errorf("%q was taken", secret)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(pushed(nil))
	f.Add(merge("update", map[string]any{"oldrev": before}))
	f.Fuzz(func(t *testing.T, body string) {
		d, err := read(http.Header{"Idempotency-Key": {"k"}}, []byte(body), "f")
		for _, c := range d.Changes {
			if err != nil || !pushes.IsCommit(c.Commit) || !pushes.IsRepository(c.Repository, 2, mostParts) || c.Branch+c.Tag == "" || c.Provider != Vendor {
				t.Errorf("%+v %v", c, err)
			}
		}
		if err == nil && len(d.Changes) == 0 && d.Ignored == "" {
			t.Errorf("nothing comes of %q, and nobody knows why", body)
		}
	})
}
