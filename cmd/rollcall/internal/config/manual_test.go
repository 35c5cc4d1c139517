package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// page is the manual of the file.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keys lists every key that a value can be given for, as the manual writes it.
func keys(of reflect.Type, path string) (all []string) {
	switch {
	case of == reflect.TypeFor[Secret](), of == reflect.TypeFor[time.Duration](), of == reflect.TypeFor[BridgeApproval](): // that of a pipeline file
		return []string{path}
	case of.Kind() == reflect.Pointer:
		return keys(of.Elem(), path)
	case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct:
		return keys(of.Elem(), path+"[]")
	case of.Kind() != reflect.Struct:
		return []string{path}
	}
	for _, f := range reflect.VisibleFields(of) {
		if tag := f.Tag.Get("yaml"); tag != "" {
			all = append(all, keys(f.Type, join(path, tag))...)
		}
	}
	return all
}

// D: the manual has every key of the file, each once, and none that there is not.
func TestTheManualHasEveryKey(t *testing.T) {
	var told []string
	for table := range strings.SplitSeq(page(t), "\n\n") {
		if _, rows, ok := strings.Cut(table, "| Key |"); ok {
			for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(rows, -1) {
				told = append(told, row[1])
			}
		}
	}
	known := keys(reflect.TypeFor[Config](), "")
	for _, k := range known {
		if n := len(slices.DeleteFunc(slices.Clone(told), func(s string) bool { return s != k })); n != 1 {
			t.Errorf("docs/configuration.md has the key %s %d times, and not once", k, n)
		}
	}
	for _, k := range told {
		if !slices.Contains(known, k) {
			t.Errorf("docs/configuration.md tells of the key %s, and there is none", k)
		}
	}
}

// The examples of the manual are taken as they stand, and its defaults are the ones in force.
func TestTheManualsExamplesLoad(t *testing.T) {
	for name, value := range map[string]string{"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "GITHUB_TOKEN": "t", "JIRA_TOKEN": "t", "ROLLCALL_CI_TOKEN": "t"} {
		t.Setenv(name, value)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page(t), -1)
	if len(examples) < 2 {
		t.Fatal("the examples are gone")
	}
	for _, e := range examples {
		path := write(t, 0o600, e[1])
		dir := filepath.Join(filepath.Dir(path), "secrets")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"github-webhook", "jira-webhook", "nightly"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Load(path); err != nil {
			t.Error(err)
		}
	}
	c, err := Load(write(t, 0o600, "slack: {botToken: xoxb-1, signingSecret: s}\ngithub: {}\njira: {url: https://j.example, token: t, project: OPS}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, is := range map[string]string{"listen": c.Listen, "slack.command": c.Slack.Command, "slack.apiURL": c.Slack.APIURL, "github.apiURL": c.GitHub.APIURL,
		"github.cloneURL": c.GitHub.CloneURL, "jira.issueType": c.Jira.IssueType, "sources.pollInterval": c.Sources.PollInterval.String()} {
		if !regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(key) + "` \\|.*\\| `" + regexp.QuoteMeta(is) + "` \\|").MatchString(page(t)) {
			t.Errorf("the default of %s is %q, and docs/configuration.md does not say so", key, is)
		}
	}
}
