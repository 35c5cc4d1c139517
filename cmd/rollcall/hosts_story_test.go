package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Pushes and requests of GitLab and Bitbucket start pipelines as GitHub's do: once,
// with exactly their commit, also when a delivery comes again after a kill; nobody else
// starts any.
func TestPushesOfOtherHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real processes")
	}
	w := smallWorld(t, "")
	const arn = "arn:aws:codeconnections:eu-west-1:111122223333:connection/b"
	w.write("rollcall.yaml", w.read("rollcall.yaml")+fmt.Sprintf(`
admins: [ana@acme.example]
gitlab: {url: "file://%[1]s/", webhookSecret: gitlab-secret}
bitbucket: {cloneURL: "file://%[1]s/", webhookSecret: bitbucket-secret}
aws: {region: eu-west-1, connections: {%[2]q: {cloneURL: "file://%[1]s/"}}}
runners: {commands: {enabled: true}}
api: {tokens: [{name: story, token: %[3]s, may: [view]}]}
`, w.path("git"), arn, token)[1:])
	pipeline := func(name, provider, more, triggers string) {
		w.write("pipelines/"+name+".yaml", fmt.Sprintf(`
name: %s
%sstages:
  - name: Source
    actions: [{name: App, provider: %s, namespace: App, configuration: {FullRepositoryId: acme/webshop, BranchName: main%s}, outputArtifacts: [app]}]
  - name: Production
    actions: [{name: Deploy, provider: Commands, commands: ["echo %s #{App.CommitId} >> $LEDGER"], environmentVariables: [{name: LEDGER, value: %q}], inputArtifacts: [app]}]
`, name, triggers, provider, more, name, w.path("ledger"))[1:])
	}
	pipeline("webshop", "GitLab", "", "")
	pipeline("bucket", "Bitbucket", "", "")
	pipeline("pulls", "Bitbucket", "", "triggers: [{pullRequest: {events: [OPEN]}}]\n")
	pipeline("connected", "CodeStarSourceConnection", ", ConnectionArn: "+arn, "")
	pipeline("elsewhere", "CodeStarSourceConnection", ", ConnectionArn: "+arn+"c", "")
	pipeline("github", "GitHub", "", "")
	w.begins()
	commits := w.history(2)
	before, sha := commits[0], commits[1]

	lab := fmt.Sprintf(`{"object_kind":"push","before":%q,"after":%q,"checkout_sha":%[2]q,"ref":"refs/heads/main","user_username":"dan","project":{"path_with_namespace":"acme/webshop"},"commits":[]}`, before, sha)
	fromLab := func(secret, id string) (int, string) {
		status, answer := w.request(http.MethodPost, "/gitlab/webhook", []byte(lab), "X-Gitlab-Token", secret, "X-Gitlab-Event", "Push Hook", "Idempotency-Key", id)
		return status, fmt.Sprint(answer["duplicate"], len(list(answer["started"])))
	}
	if status, _ := fromLab("another", "l1"); status != 401 {
		t.Errorf("with another token: %d", status)
	}
	if status, got := fromLab("gitlab-secret", "l1"); status != 202 || got != "<nil> 2" { // webshop, and nothing of Bitbucket's or GitHub's; the connection leads to both here
		t.Errorf("GitLab's push: %d %s", status, got)
	}
	w.kill()
	w.start()
	if status, got := fromLab("gitlab-secret", "l1"); status != 200 || got != "true 2" {
		t.Errorf("GitLab's push again: %d %s", status, got)
	}

	bucket := fmt.Sprintf(`{"actor":{"display_name":"Dan"},"repository":{"full_name":"acme/webshop"},"push":{"changes":[{"old":{"type":"branch","name":"main","target":{"hash":%q}},"new":{"type":"branch","name":"main","target":{"hash":%q}}},{"old":{"type":"branch","name":"old","target":{"hash":%[1]q}},"new":null}]}}`, before, sha)
	pull := fmt.Sprintf(`{"actor":{"display_name":"Dan"},"repository":{"full_name":"acme/webshop"},"pullrequest":{"id":7,"title":"Better","source":{"branch":{"name":"main"},"commit":{"hash":"%.12s"},"repository":{"full_name":"acme/webshop"}},"destination":{"branch":{"name":"main"},"repository":{"full_name":"acme/webshop"}}}}`, before)
	fromBucket := func(event, id, body, sign string) (int, string) {
		status, answer := w.request(http.MethodPost, "/bitbucket/webhook", []byte(body), "X-Hub-Signature", wire.Sign([]byte(sign), []byte(body)), "X-Event-Key", event, "X-Request-UUID", id)
		return status, fmt.Sprint(answer["duplicate"], len(list(answer["started"])))
	}
	if status, _ := fromBucket("repo:push", "b1", bucket, "another"); status != 401 {
		t.Errorf("signed with another secret: %d", status)
	}
	for i, want := range []string{"202 <nil> 2", "200 true 2", "200 true 2"} {
		id := "b1"
		if i == 2 {
			id = "b2" // what was signed acts once, under whatever ID
		}
		if status, got := fromBucket("repo:push", id, bucket, "bitbucket-secret"); fmt.Sprint(status, " ", got) != want {
			t.Errorf("Bitbucket's push, time %d: %d %s, want %s", i+1, status, got, want)
		}
	}
	if status, got := fromBucket("pullrequest:created", "b3", pull, "bitbucket-secret"); status != 202 || got != "<nil> 1" {
		t.Errorf("Bitbucket's pull request: %d %s", status, got)
	}
	fork := strings.Replace(strings.Replace(pull, `"id":7`, `"id":8`, 1), `"repository":{"full_name":"acme/webshop"}},"destination"`, `"repository":{"full_name":"eve/webshop"}},"destination"`, 1)
	if status, got := fromBucket("pullrequest:created", "b4", fork, "bitbucket-secret"); status != 202 || got != "<nil> 0" {
		t.Errorf("a fork's pull request: %d %s", status, got)
	}
	// The connection leads to both hosts here: a push of each is a change of its own.
	want := map[string]int{"webshop " + sha: 1, "bucket " + sha: 1, "pulls " + before: 1, "connected " + sha: 2}
	w.until("all is deployed", func() bool { return strings.Count(w.read("ledger"), "\n") >= 5 })
	for line, n := range want {
		if got := strings.Count(w.read("ledger"), line+"\n"); got != n {
			t.Errorf("%s was deployed %d times:\n%s", line, got, w.read("ledger"))
		}
	}
	w.until("it has ended", func() bool { return w.execution(1).Status == workflows.StatusSucceeded })
	if e := w.execution(1); e.SourceRevisions[0].RevisionID != sha || e.SourceRevisions[0].Repository != "acme/webshop" {
		t.Errorf("%+v", e.SourceRevisions)
	}
}

func list(v any) []any {
	all, _ := v.([]any)
	return all
}
