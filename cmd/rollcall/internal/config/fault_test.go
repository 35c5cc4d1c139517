package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// faults loads a text and returns what is wrong with it, "LINE:COL message (hint)" each; none: it loads.
func faults(t *testing.T, mode os.FileMode, text string) (all []string) {
	t.Helper()
	path := write(t, mode, text)
	_, err := Load(path)
	var ps Problems
	if err != nil && !errors.As(err, &ps) {
		t.Fatal(err)
	}
	for _, p := range ps {
		all = append(all, strings.TrimPrefix(strings.ReplaceAll(p.Error(), filepath.Dir(path)+"/", ""), "rollcall.yaml:"))
	}
	return all
}

const jira = "jira: {url: https://j.example, token: t, project: OPS}\n"

const gated = "github:\n  app: {id: 1, installationID: 2, privateKey: k}\n  webhookSecret: s\n  gates:\n"

// One fault a file: where it is and what to do. Lines without a fault load, and say what they are read as.
func TestFaultsHaveTheirPlace(t *testing.T) {
	for _, c := range []struct {
		about, text string
		want        []string
	}{
		{"empty", "", nil},
		{"a comment", "# nothing yet\n", nil},
		{"a key without a value is not given", "listen:\nslack:\n", nil},
		{"a list in place of the file", "[]\n", []string{"1:1: the file must be a section with keys"}},
		{"a word in place of the file", "rollcall\n", []string{"1:1: the file must be a section with keys"}},
		{"letters' case counts", "\nListen: x:1\n", []string{"2:1: there is no key Listen here (did you mean listen?)"}},
		{"an unknown key far from all", "api:\n  zzzzzz: 1\n", []string{"2:3: there is no key api.zzzzzz here (known here: tokens)"}},
		{"a key twice", "listen: a:1\nadmins: []\nlisten: b:2\n", []string{"3:1: listen is given twice (keep one)"}},
		{"a group twice: nobody must be dropped unseen", "access:\n  groups:\n    sre: [ana@b.example]\n    sre: [ben@b.example]\n", []string{"4:5: access.groups.sre is given twice (keep one)"}},
		{"a deputy twice", "access:\n  deputies: {ana@b.example: ben@b.example, ana@b.example: cho@b.example}\n", []string{"2:44: access.deputies.ana@b.example is given twice (keep one)"}},
		{"an alias", "listen: &a 127.0.0.1:1\npublicURL: *a\n", []string{"2:12: publicURL is an alias (write the value out: the configuration knows no aliases)"}},
		{"a section as a value", "listen: {host: b}\n", []string{"1:9: listen must be a single value"}},
		{"a value as a list", "admins: ana@b.example\n", []string{"1:9: admins must be a list"}},
		{"a value as a section", "api: yes\n", []string{"1:6: api must be a section with keys"}},
		{"a value as a table", "access:\n  groups: sre\n", []string{"2:11: access.groups must be a section with keys"}},
		{"a port alone", "listen: 8484\n", []string{"1:9: listen must be HOST:PORT (for example 127.0.0.1:8484)"}},
		{"a port alone for metrics", "metricsListen: 9484\n", []string{"1:16: metricsListen must be HOST:PORT (for example 127.0.0.1:9484)"}},
		{"metrics at the service's address", "metricsListen: 127.0.0.1:8484\n", []string{"1:16: metricsListen and listen are the same address (metrics are at listen already, for whoever has a token: leave metricsListen out, or choose another port)"}},
		{"metrics on an address of their own", "metricsListen: 127.0.0.1:9484\n", nil},
		{"proxies", "proxies: [10.0.0.5, 10.1.0.0/16, \"fd00::/64\"]\n", nil},
		{"a name of a proxy", "proxies: [10.0.0.5, proxy]\n", []string{`1:21: proxies[1] is no address: "proxy" (write an address such as 10.0.0.5, or a network such as 10.0.0.0/24)`}},
		{"everybody is a proxy", "proxies: [0.0.0.0/0]\n", []string{"1:11: proxies[0] is every address there is (anybody could then say where they are: name the proxies only)"}},
		{"a console below a path", "publicURL: https://h.example/rollcall\nslack: {botToken: xoxb-1-a, signingSecret: s}\nconsole: {enabled: true}\n", []string{`1:12: publicURL has a path, "/rollcall", and the console is at the root of its host (give rollcall a host of its own)`}},
		{"an address without a host", "publicURL: https://\n", []string{"1:12: publicURL must be an http or https address (for example https://rollcall.example.com)"}},
		{"an address of another kind", "publicURL: ftp://h.example\n", []string{"1:12: publicURL must be an http or https address (for example https://rollcall.example.com)"}},
		{"a gate of GitHub without an app", "github:\n  token: t\n  webhookSecret: s\n  gates: [{repository: acme/*, environment: production}]\n",
			[]string{"4:10: github.gates needs a GitHub App: only an app can be a deployment protection rule (give github.app in place of github.token: id, installationID, privateKey)"}},
		{"a gate of GitHub that asks nobody and nothing", gated + "    - {repository: acme, environment: a?b, freeze: no, approval: {from: [nobody], required: 0, timeoutInMinutes: 0}}\n    - {repository: \"*/*\", timeoutInMinutes: 41761}\n", []string{
			"5:20: github.gates[0].repository: \"acme\" is not a repository (write owner/name; * stands for any text: acme/*)",
			"5:39: github.gates[0].environment cannot be the name of an environment (write its name on GitHub; * stands for any text without a slash)",
			"5:52: github.gates[0].freeze must be true or false",
			"5:74: github.gates[0].approval.from[0]: \"nobody\" names nobody (write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone)",
			"5:93: required cannot be 0 (it is how many different people must approve, 1 or more)",
			"5:114: github.gates[0].approval.timeoutInMinutes must be from 1 to 41760 (GitHub ends what has waited for 30 days; leave it out for 7 days)",
			"6:7: github.gates[1].environment is missing (its name on GitHub: production)",
			"6:20: github.gates[1].repository: the owner must be named (anybody may install an app that is public: write acme/* and not */*)",
			"6:45: github.gates[1].timeoutInMinutes must be from 1 to 41760 (GitHub ends what has waited for 30 days; leave it out for 7 days)"}},
		{"a gate of GitHub behind a wider one", gated + "    - {repository: acme/*, environment: prod*}\n    - {repository: ACME/webshop, environment: production}\n",
			[]string{"6:7: github.gates[1] is never used: github.gates[0] covers it (the first row that matches counts: put the narrower one first)"}},
		{"gates of GitHub", gated + "    - {repository: acme/webshop, environment: production, channel: \"#r\", freeze: true, approval: {from: [ana@b.example], required: 2, timeoutInMinutes: 1}}\n    - {repository: acme/*, environment: \"*\", timeoutInMinutes: 41760}\n", nil},
		{"yes is not true", "sources: {allowFileURLs: yes}\n", []string{"1:26: sources.allowFileURLs must be true or false"}},
		{"comments without a webhook", "github: {token: t, comments: [acme/webshop]}\n", []string{"1:30: github.comments needs github.webhookSecret, and github.token or github.app (comments come by the webhook, and are answered through the API)"}},
		{"comments without the API", "github: {webhookSecret: s, comments: [acme/*]}\n", []string{"1:38: github.comments needs github.webhookSecret, and github.token or github.app (comments come by the webhook, and are answered through the API)"}},
		{"comments everywhere", "github: {token: t, webhookSecret: s, comments: [acme, acme/shop/x, 'acme/[', acme/web*]}\n", []string{"1:49: github.comments[0] must be OWNER/NAME (for example acme/webshop, or acme/* for all of an owner)",
			"1:55: github.comments[1] must be OWNER/NAME (for example acme/webshop, or acme/* for all of an owner)", "1:68: github.comments[2] must be OWNER/NAME (for example acme/webshop, or acme/* for all of an owner)"}},
		{"comments that are only switched on", "github: {token: t, webhookSecret: s, comments: true}\n", []string{"1:48: github.comments must be a list"}},
		{"a gate of ECS without a service", "aws:\n  ecsGates:\n    - cluster: prod\n", []string{"3:7: aws.ecsGates[0].service is missing (the name of a service of it; * stands for any text)"}},
		{"a gate of ECS by ARN", "aws:\n  ecsGates:\n    - {cluster: prod, service: \"arn:aws:ecs:eu-west-1:1:service/prod/web\", name: web}\n",
			[]string{"3:32: aws.ecsGates[0].service cannot be the name of one in ECS (write the name and not the ARN: letters, digits, _ and -, and * for any text)"}},
		{"two gates of ECS of one name", "aws:\n  ecsGates:\n    - {cluster: prod, service: web}\n    - {cluster: prod, service: web, region: us-east-1}\n",
			[]string{"4:7: there are two bridges and gates of ECS named ecs-prod-web (give it a name of its own: name: NAME)"}},
		{"a gate of ECS named as a bridged pipeline", "aws: {ecsGates: [{cluster: prod, service: web, name: webshop}]}\nbridges: [{name: eu, pipelines: [{name: webshop}]}]\n",
			[]string{"1:54: there are two bridges and gates of ECS named webshop (give it a name of its own: name: NAME)"}},
		{"an approval of a gate of ECS", "aws: {ecsGates: [{cluster: prod, service: web, approval: {from: [nobody], required: 0}}]}\n",
			[]string{"1:66: aws.ecsGates[0].approval.from[0]: \"nobody\" names nobody (write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone)", "1:85: required cannot be 0 (it is how many different people must approve, 1 or more)"}},
		{"a gate of ECS that looks too often", "aws: {ecsGates: [{cluster: prod, service: web, poll: 1s, region: mars, roleArn: me}]}\n",
			[]string{"1:54: aws.ecsGates[0].poll is shorter than 3s (AWS allows few calls; 15s is usual)", "1:66: aws.ecsGates[0].region is not a Region of AWS (for example eu-west-1)", "1:81: aws.ecsGates[0].roleArn is not the ARN of a role (for example arn:aws:iam::111122223333:role/rollcall)"}},
		{"true in quotes is a text", "sources: {allowFileURLs: \"true\"}\n", []string{"1:26: sources.allowFileURLs must be true or false"}},
		{"TRUE is true", "runners: {commands: {enabled: TRUE, user: nobody}}\n", nil},
		{"an interval without a unit", "sources: {pollInterval: 30}\n", []string{"1:25: sources.pollInterval must be a duration (for example 30s or 5m)"}},
		{"days, hours, nothing", "retention: {executions: 400d, logs: 36h, artifacts: }\n", nil},
		{"an age without a unit", "retention:\n  executions: 400\n  logs: 1w\n", []string{"2:15: retention.executions must be a time to keep things for (for example 400d, 90d or 36h; leave it out to keep them for ever)", "3:9: retention.logs must be a time to keep things for (for example 400d, 90d or 36h; leave it out to keep them for ever)"}},
		{"nothing is no age", "retention: {artifacts: 0d}\n", []string{"1:24: retention.artifacts must be a time to keep things for (for example 400d, 90d or 36h; leave it out to keep them for ever)"}},
		{"an unknown age", "retention: {execution: 400d}\n", []string{"1:13: there is no key retention.execution here (did you mean executions?)"}},
		{"never is no interval", "sources: {pollInterval: 0s}\n", []string{"1:25: sources.pollInterval must be a duration (for example 30s or 5m)"}},
		{"backwards is no interval", "sources: {pollInterval: -5m}\n", []string{"1:25: sources.pollInterval must be a duration (for example 30s or 5m)"}},
		{"a fraction of an app", "github: {app: {id: 1.5, installationID: 7, privateKey: k}}\n", []string{
			"1:15: github.app needs id, installationID and privateKey (they are on the app's settings page)", "1:20: github.app.id must be a whole number"}},
		{"a number that is too large", "github: {app: {id: 1, installationID: 99999999999999999999, privateKey: k}}\n", []string{
			"1:15: github.app needs id, installationID and privateKey (they are on the app's settings page)", "1:39: github.app.installationID must be a whole number"}},
		{"check runs by a token", "github: {token: t, feedback: checks}\n", []string{"1:30: github.feedback checks needs github.app (GitHub lets only an app write check runs; use statuses with a token)"}},
		{"an unknown way to show stages", "github: {token: t, feedback: badges}\n", []string{`1:30: github.feedback cannot be "badges" (it is statuses, checks or none)`}},
		{"a token and an app", "github: {token: t, app: {id: 1, installationID: 2, privateKey: k}}\n", []string{"1:25: github has both a token and an app (keep one)"}},
		{"a folder that is not there", "pipelines: ./none\n", []string{"1:12: pipelines: there is no folder none (create it, or say where the pipeline files are)"}},
		{"a file as the folder", "pipelines: ./rollcall.yaml\n", []string{"1:12: pipelines: there is no folder rollcall.yaml (create it, or say where the pipeline files are)"}},
		{"a secret from two places", "jira: {url: https://j.example, project: OPS, token: {env: A, file: b}}\n", []string{"1:53: jira.token must be read from exactly one place (write {env: NAME} or {file: PATH})"}},
		{"a secret from nowhere", "jira: {url: https://j.example, project: OPS, token: {env: \"\"}}\n", []string{"1:54: jira.token.env is empty"}},
		{"a secret of many parts", "jira: {url: https://j.example, project: OPS, token: [a, b]}\n", []string{"1:53: jira.token must be a secret (write {env: NAME} or {file: PATH})"}},
		{"a rule for nobody", "access:\n  rules:\n    - {allow: [view]}\n", []string{"3:7: access.rules[0].to is missing (who: mail addresses, group:NAME, everyone)",
			"3:7: the rule allows nobody (add `to`, a list such as [group:release-managers])"}},
		{"a token for nothing", "api:\n  tokens:\n    - {name: ci, token: a-long-secret-value}\n", []string{"3:7: api.tokens[0].may is missing (the verbs it may: may: [view, start])"}},
		{"the second token's verb", "api:\n  tokens:\n    - {name: ci, token: a, may: [view]}\n    - {name: cd, token: b, may: [view, strat]}\n", []string{`4:40: "strat" is not a verb that can be allowed (did you mean start?)`}},
		{"all at once, in the file's order", "admins: [ben]\nlisten: 1\nsources: {pollInterval: x}\n", []string{
			`1:10: "ben" names nobody (write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone)`,
			"2:9: listen must be HOST:PORT (for example 127.0.0.1:8484)",
			"3:25: sources.pollInterval must be a duration (for example 30s or 5m)"}},
		{"far too large", "# " + strings.Repeat("x", maxFile) + "\n", []string{"1:1: the file is larger than 262144 bytes (is this the right file?)"}},
	} {
		if got := faults(t, 0o600, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.about, got, c.want)
		}
	}
}

// However a secret is written, and whatever is wrong beside it, no fault shows it.
func TestFaultsShowNoSecret(t *testing.T) {
	const secret = "hunter2"
	for _, token := range []string{
		secret, `"` + secret + `"`, "'" + secret, `"` + secret + `\q"`, "*" + secret, "&" + secret, "!" + secret + "! x", "@" + secret, "%" + secret, "|" + secret,
		secret + ": x", "[" + secret + "]", "[[" + secret + "], {a: " + secret + "}]", "{env: A, file: " + secret + "}", "{file: [" + secret + "]}", "{env: {a: " + secret + "}}",
	} {
		for section, text := range map[string]string{
			"jira":   "jira:\n  url: nowhere\n  token: TOKEN\n",
			"slack":  "slack:\n  botToken: TOKEN\n  appToken: TOKEN\n  command: none\n",
			"github": "github:\n  token: TOKEN\n  webhookSecret: TOKEN\n  app: {id: x}\n",
			"aws":    "aws:\n  connections:\n    bitbucket:\n      token: TOKEN\n",
			"api":    "api:\n  tokens:\n    - name: ci\n      token: TOKEN\n",
		} {
			got := faults(t, 0o644, strings.ReplaceAll(text, "TOKEN", token))
			if len(got) == 0 {
				t.Errorf("%s with %s: it loads from a file that others can read", section, token)
			}
			if all := strings.Join(got, "\n"); strings.Contains(all, secret) {
				t.Errorf("%s with %s: the secret is shown:\n%s", section, token, all)
			}
		}
	}
	for _, address := range []string{"github: {cloneURL: \"https://ana:hunter2@h.example/\"}\n", "jira: {url: \"ftp://ana:hunter2@j.example\", token: t, project: P}\n", "publicURL: \"ana:hunter2@h.example\"\n"} {
		if got := strings.Join(faults(t, 0o600, address), "\n"); got == "" || strings.Contains(got, secret) {
			t.Errorf("%s: %s", address, got)
		}
	}
}

// Every way of printing a configuration shows that there is a secret, and not which.
func TestNoPrinterShowsASecret(t *testing.T) {
	path := write(t, 0o600, "jira: {url: https://j.example, token: hunter2, project: OPS}\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c.Jira)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "token", c.Jira.Token, "jira", *c.Jira)
	for how, text := range map[string]string{"%v": fmt.Sprint(*c.Jira), "%+v": fmt.Sprintf("%+v", *c.Jira), "%#v": fmt.Sprintf("%#v", *c.Jira), "%s": fmt.Sprintf("<%s>", c.Jira.Token),
		"%q": fmt.Sprintf("%q", c.Jira.Token), "JSON": string(asJSON), "log": log.String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "****") {
			t.Errorf("%s: %s", how, text)
		}
	}
	if none := (Secret{}); none.Set() || none.String() != "" {
		t.Errorf("no secret is printed as %q", none)
	}
	if got := c.Secrets(); !slices.Equal(got, []string{"hunter2"}) {
		t.Errorf("the secrets to hide elsewhere are %q", got)
	}
}

// Settings that leave much open are said as long as they do, and only then.
func TestWhatIsLeftOpenIsSaid(t *testing.T) {
	const admin = "admins: [ana@acme.example]\n"
	for _, c := range []struct {
		about, text    string
		open, warnings []string // what each sentence begins with
	}{
		{"nothing open", admin + jira, nil, nil},
		{"everybody may everything", admin + "access: {allowAll: true}\n", []string{"access.allowAll"}, nil},
		{"local repositories", admin + "sources: {allowFileURLs: true}\n", []string{"sources.allowFileURLs is on"}, nil},
		{"commands as the service", admin + "runners: {commands: {enabled: true}}\n", []string{"runners.commands.user names no other account"}, nil},
		{"commands as root", admin + "runners: {commands: {enabled: true, user: root}}\n", []string{"runners.commands.user names no other account"}, nil},
		{"commands as somebody else", admin + "runners: {commands: {enabled: true, user: rollcall-jobs}}\n", nil, nil},
		{"commands off", admin + "runners: {commands: {enabled: false}}\n", nil, nil},
		{"a token to guess", admin + "api: {tokens: [{name: ci, token: fifteen-letters, may: [view]}, {name: cd, token: sixteen-letters., may: [view]}]}\n", nil, []string{"the API token of ci is shorter"}},
	} {
		cfg, err := Load(write(t, 0o600, c.text))
		if err != nil {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		for what, lists := range map[string][2][]string{"open": {cfg.Open(), c.open}, "warnings": {cfg.Warnings(), c.warnings}} {
			if !slices.EqualFunc(lists[0], lists[1], strings.HasPrefix) {
				t.Errorf("%s: %s:\n got %q\nwant %q", c.about, what, lists[0], lists[1])
			}
		}
	}
}
