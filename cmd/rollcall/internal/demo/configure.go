package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// webshop is the shop's pipeline file; its argument is the folder that it deploys to.
const webshop = `# The pipeline of the demo's shop.
name: webshop
channel: "#deploys"
owners: ["group:release-managers"]
stages:
  - name: Source
    actions:
      - {name: App, provider: GitHub, namespace: App, configuration: {FullRepositoryId: acme/webshop, BranchName: main}, outputArtifacts: [app]}
  - name: Build
    actions:
      - {name: Test, provider: Commands, commands: ["sh test.sh"], inputArtifacts: [app]}
      - {name: Package, provider: Commands, commands: ["sh build.sh"], inputArtifacts: [app], outputArtifacts: [{name: dist, files: ["dist/**"]}]}
  - name: Production
    environment: production
    onFailure: {result: ROLLBACK}
    actions:
      - {name: SignOff, provider: Manual, approval: {from: ["group:release-managers"], required: 2}}
      - {name: Deploy, provider: Commands, runOrder: 2, commands: ["sh dist/deploy.sh"], inputArtifacts: [dist], environmentVariables: [{name: SHOP, value: %q}]}
`

// configure writes the service's configuration and the pipeline file.
func (d *Demo) configure() error {
	if err := os.MkdirAll(d.place.path("pipelines"), 0o700); err != nil {
		return fmt.Errorf("make the folder of pipeline files: %w", err)
	}
	if err := d.writePipeline(); err != nil {
		return err
	}
	n := d.place.known()
	base := "http://" + d.addr
	groups := map[string][]string{"release-managers": {mail("ana"), mail("ben"), mail("cleo")}}
	rules := []map[string]any{
		{"allow": []string{"view", "start", "stop", "retry", "logs"}, "to": []string{"everyone"}},
		{"allow": []string{"approve", "rollback", "lock", "unlock", "resolve"}, "to": []string{"group:release-managers"}},
	}
	if d.play != nil { // everybody may everything, and is in every group that the file names
		for _, g := range d.play.groups {
			groups[g] = append([]string{mail("ana"), mail("ben"), mail("cleo"), mail("dan")}, d.play.people...)
		}
		rules = []map[string]any{{"allow": []string{"view", "start", "stop", "retry", "logs", "approve", "rollback", "lock", "unlock", "resolve"}, "to": []string{"everyone"}}}
	}
	config := map[string]any{
		"listen": d.addr, "publicURL": base, "dataDir": d.place.path("data"), "pipelines": d.place.path("pipelines"),
		"slack":   map[string]any{"apiURL": base + slackMount + "/api/", "botToken": n.BotToken, "signingSecret": n.Signing, "channel": "#" + d.channel()},
		"github":  map[string]any{"apiURL": base + githubMount + "/", "cloneURL": "file://" + d.place.path("git") + "/", "token": n.GitHub, "webhookSecret": n.Hook},
		"jira":    map[string]any{"url": base + jiraMount, "user": jiraUser, "token": n.Jira, "project": "SHOP", "issueType": "Bug"},
		"sources": map[string]any{"allowFileURLs": true, "pollInterval": "1h"},
		"runners": map[string]any{"commands": map[string]any{"enabled": d.play == nil}},
		"people":  []map[string]any{{"email": mail("dan"), "github": "dan"}},
		"console": map[string]any{"enabled": true},
		"access":  map[string]any{"groups": groups, "rules": rules},
		"api":     map[string]any{"tokens": []map[string]any{{"name": "terminal", "token": n.Terminal, "may": terminalMay()}}},
	}
	if d.cloud != nil {
		d.cloud.configure(config, base)
	}
	data, err := json.MarshalIndent(config, "", "  ") // JSON is YAML
	if err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	return replace(d.ConfigFile(), append(data, '\n'))
}

// terminalMay is what the token of the command line may do: all but what needs a person.
func terminalMay() []string {
	return []string{"view", "logs", "start", "stop", "retry", "rollback", "override", "lock", "unlock", "resolve", "audit"}
}

// writePipeline writes the pipeline file, if what is played has one.
func (d *Demo) writePipeline() error {
	switch {
	case d.cloud != nil:
		return nil
	case d.play != nil:
		return replace(d.place.path("pipelines", "pipeline"+d.play.kind()), d.play.file(d.place.known().Controls.Gates))
	}
	if err := d.number(); err != nil {
		return err
	}
	return replace(d.place.path("pipelines", "webshop.yaml"), fmt.Appendf(nil, webshop, d.shop.dir))
}

// ConfigFile is the service's configuration.
func (d *Demo) ConfigFile() string { return d.place.path("rollcall.yaml") }

// number has a new pipeline count on from the releases that the shop had before
// it came to rollcall.
func (d *Demo) number() error {
	path := d.place.path("data", "rollcall.db")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) { // of a start that was cut short
		return fmt.Errorf("begin to count the shop's releases: %w", err)
	}
	db, err := store.Open(path+".new", store.Options{})
	if err != nil {
		return err
	}
	state := machine.New("webshop")
	state.Count = first - 1
	data, err := json.Marshal(state)
	if err == nil {
		err = db.Commit(context.Background(), &record.Commit{Checkpoints: []record.Checkpoint{{Pipeline: "webshop", State: data}}})
	}
	if closing := db.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("begin to count the shop's releases: %w", err)
	}
	return os.Rename(path+".new", path)
}

// pipeline is the name of the pipeline that is played.
func (d *Demo) pipeline() string {
	if d.play != nil {
		return d.play.pipeline.Name
	}
	return "webshop"
}

// Simulated is what carries out the actions of a person's own pipeline, by
// provider; nil for the shop, whose actions are real.
func (d *Demo) Simulated() map[string]*Simulated {
	if d.play == nil {
		return nil
	}
	all := map[string]*Simulated{}
	for _, s := range d.play.pipeline.Stages {
		for _, a := range s.Actions {
			if !a.IsApproval() {
				all[a.ActionType.Provider] = &d.play.runner
			}
		}
	}
	return all
}
