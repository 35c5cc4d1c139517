package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// A push that GitHub delivers in vain while the service is away begins its execution
// within half a minute of the next start, though nobody polls; the same delivery that
// comes afterwards, by its ID, changes nothing.
func TestAPushWhileTheServiceWasAway(t *testing.T) {
	w := newWorld(t)
	w.kill()
	w.write("rollcall.yaml", "publicURL: http://"+w.addr+"\n"+w.read("rollcall.yaml"))
	w.github.SetAccount(githubfake.Account{Repositories: map[string][]githubfake.Hook{"acme/webshop": {{URL: "http://" + w.addr + "/github/webhook", Events: []string{"push"}}}}})
	sha := w.commit("v1", "Sell more")
	push := githubfake.Push{Repository: "acme/webshop", Ref: "refs/heads/main", Commit: sha, Message: "Sell more",
		Author: githubfake.Person{Name: "Dan", Email: "dan@acme.example", Login: "dan-dev"}, Pusher: "dan-dev", Files: []string{"page"}}
	if d, err := w.github.Push(t.Context(), push); err == nil {
		t.Fatalf("the service is killed, and answered with %d", d.Status)
	}
	const guid = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
	payload := push.Payload()
	w.github.Log(githubfake.LoggedDelivery{Hook: "acme/webshop", GUID: guid, Event: "push", Payload: payload, At: time.Now()})
	w.start()
	began := time.Now()
	w.until("the missed push begins its execution", func() bool { return len(w.executions()) > 0 })
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	again := func() {
		t.Helper()
		status, answer := w.request(http.MethodPost, "/github/webhook", payload, "X-Hub-Signature-256", wire.Sign([]byte(hook), payload), "X-GitHub-Event", "push", "X-GitHub-Delivery", guid, "Content-Type", "application/json")
		if status != http.StatusOK || answer["duplicate"] != true {
			t.Errorf("the same delivery afterwards: %d %v", status, answer)
		}
	}
	again()
	w.kill()
	w.start()
	again()
	all := w.executions()
	if len(all) != 1 {
		t.Fatalf("%d executions", len(all))
	}
	w.until("its source is known", func() bool { return len(w.execution(1).SourceRevisions) == 1 })
	if r := w.execution(1).SourceRevisions[0]; r.RevisionID != sha {
		t.Errorf("it has %s, want %s", r.RevisionID, sha)
	}
}
