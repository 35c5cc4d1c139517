package setup

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// answers of many kinds, with their defaults.
func answers() map[string]Answers {
	return map[string]Answers{
		"nothing said": Answers{}.Defaults(),
		"over HTTP":    Answers{Admin: "ana@acme.example", HTTP: "https://rollcall.acme.example/"}.Defaults(),
		"all said":     Answers{Admin: "ana@acme.example", Channel: "deploys-é", Repository: "acme/web.shop", Branch: "release/1.x", Pipeline: "shop@eu", Command: "/deploy-it"}.Defaults(),
		"ssh":          Answers{Repository: "git@git.acme.example:web/shop.git"}.Defaults(),
		"https":        Answers{Repository: "https://git.acme.example/web/shop.git", Branch: "trunk"}.Defaults(),
		"container":    Answers{Listen: "0.0.0.0:8484", Data: "/data"}.Defaults(),
		"numbers":      Answers{Pipeline: "123", Branch: "1.0", Channel: "007"}.Defaults(),
	}
}

// What is written must be what serve and validate take, without a warning.
func TestWhatIsWrittenIsValid(t *testing.T) {
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-1")
	t.Setenv("SLACK_APP_TOKEN", "xapp-1")
	t.Setenv("SLACK_SIGNING_SECRET", "s")
	for name, a := range answers() {
		t.Run(name, func(t *testing.T) {
			if err := a.Check(); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "new", "folder")
			if err := Write(dir, a.Files()); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(filepath.Join(dir, "rollcall.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Warnings()) != 0 || c.Listen != a.Listen || filepath.IsAbs(a.Data) && c.DataDir != a.Data || c.Admins[0] != a.Admin || c.Slack.Channel != a.Channel || c.Slack.Command != a.Command || c.Slack.AppToken.Set() == (a.HTTP != "") || c.Slack.SigningSecret.Set() != (a.HTTP != "") {
				t.Errorf("%+v, %v", c, c.Warnings())
			}
			file := filepath.Join(dir, "pipelines", a.Pipeline+".yaml")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, diagnostics := spec.Parse(file, data)
			if p == nil || len(diagnostics) != 0 {
				t.Fatal(diagnostics)
			}
			if p.Name != a.Pipeline || p.Channel != a.Channel || p.Stages[0].Actions[0].Configuration["BranchName"] != a.Branch {
				t.Errorf("%+v", p)
			}
			for _, f := range a.Files() {
				for _, secret := range []string{"xoxb-1", "xapp-1"} {
					if strings.Contains(f.Text, secret) {
						t.Errorf("%s holds a secret", f.Path)
					}
				}
			}
		})
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	a := Answers{}.Defaults()
	for _, there := range a.Files() {
		dir := t.TempDir()
		path := filepath.Join(dir, there.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		var no *workflows.Problem
		if err := Write(dir, a.Files()); !errors.As(err, &no) || !strings.Contains(no.Message, there.Path) {
			t.Errorf("%s: %v", there.Path, err)
		}
		for _, f := range a.Files() {
			text, err := os.ReadFile(filepath.Join(dir, f.Path))
			if f.Path == there.Path && string(text) != "mine" || f.Path != there.Path && err == nil {
				t.Errorf("with %s there, %s is %q", there.Path, f.Path, text)
			}
		}
	}
}

// A link to nowhere is there too: writing through it would make a file elsewhere.
func TestALinkIsNotWrittenThrough(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "rollcall.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, Answers{}.Defaults().Files()); err == nil {
		t.Error("written")
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("written through the link")
	}
}

func TestAnswersThatCannotBeUsed(t *testing.T) {
	for field, a := range map[string]Answers{
		"admin": {Admin: "ana"}, "channel": {Channel: "#a b"}, "repository": {Repository: "webshop"}, "branch": {Branch: "a b"},
		"name": {Pipeline: "../x"}, "command": {Command: "rollcall"}, "http": {HTTP: "http://rollcall.example.com"}, "listen": {Listen: "8484"}, "data": {Data: "a b"},
	} {
		var wrong *workflows.Problem
		if err := a.Defaults().Check(); !errors.As(err, &wrong) || wrong.Field != field || wrong.Hint == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// FuzzAnswers: whatever is accepted makes files that are valid.
func FuzzAnswers(f *testing.F) {
	for _, a := range answers() {
		f.Add(a.Admin, a.Channel, a.Repository, a.Branch, a.Pipeline)
	}
	f.Fuzz(func(t *testing.T, admin, channel, repository, branch, pipeline string) {
		a := Answers{Admin: admin, Channel: channel, Repository: repository, Branch: branch, Pipeline: pipeline}.Defaults()
		if a.Check() != nil {
			return
		}
		if p, diagnostics := spec.Parse("p.yaml", []byte(a.pipeline())); p == nil || p.Name != a.Pipeline || p.Channel != a.Channel {
			t.Errorf("%+v makes %v\n%s", a, diagnostics, a.pipeline())
		}
	})
}

func TestTheQuestions(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		want        Answers
		says        []string
		stopped     bool
	}{
		{"all empty but the address", "ana@acme.example\n\n\n\n", Answers{Admin: "ana@acme.example"}, []string{"[#deploys]", "[octocat/Hello-World]"}, false},
		{"everything", "ana@acme.example\nshop\nacme/shop\ntrunk\nhttps://r.acme.example\n",
			Answers{Admin: "ana@acme.example", Channel: "#shop", Repository: "acme/shop", Branch: "trunk", HTTP: "https://r.acme.example"}, nil, false},
		{"asked again", "\nana\nana@acme.example\n\n\nhttp://no\n\n", Answers{Admin: "ana@acme.example"},
			[]string{`"ana" is no e-mail address: the one of your Slack account`, `"http://no" is no address that Slack could call`}, false},
		{"the end of the input", "ana@acme.example\n", Answers{}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said strings.Builder
			got, err := Ask(strings.NewReader(c.typed), &said, Answers{})
			if errors.Is(err, ErrStopped) != c.stopped || !c.stopped && (err != nil || got != c.want.Defaults()) {
				t.Errorf("%+v, %v\n%s", got, err, said.String())
			}
			for _, s := range c.says {
				if !strings.Contains(said.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, said.String())
				}
			}
		})
	}
}

func TestTheNextStepsAreNumberedAndNameEverything(t *testing.T) {
	socket := Answers{Admin: "ana@acme.example"}.Defaults().Next("releases", "rollcall")
	for _, s := range []string{" 1. Create the Slack app: open https://api.slack.com/apps?new_app=1", "releases/slack-app-manifest.yaml", "export SLACK_BOT_TOKEN=xoxb-…",
		"connections:write", "rollcall serve --config releases/rollcall.yaml", "/rollcall start hello-world", "docs/slack.md"} {
		if !strings.Contains(socket, s) {
			t.Errorf("it does not say %q:\n%s", s, socket)
		}
	}
	http := Answers{HTTP: "https://r.acme.example"}.Defaults().Next(".", "rollcall")
	for _, s := range []string{" 1. In rollcall.yaml, write your own e-mail address", "SLACK_SIGNING_SECRET", "https://r.acme.example/slack/"} {
		if !strings.Contains(http, s) {
			t.Errorf("it does not say %q:\n%s", s, http)
		}
	}
	if strings.Contains(http, "SLACK_APP_TOKEN") || strings.Contains(socket, "SIGNING") {
		t.Error("steps of the other way")
	}
}

func TestTheQuestionsAboutAWS(t *testing.T) {
	list := func(b Bridge) ([]string, error) {
		if b.Region == "us-east-1" {
			return nil, nil
		}
		if b.RoleARN == "arn:aws:iam::1111:role/x" {
			t.Error("asked with a role that is none")
		}
		return []string{"api", "webshop"}, nil
	}
	for _, c := range []struct {
		name, typed string
		want        Bridge
		says        []string
		stopped     bool
	}{
		{"all empty but the address", "ana@acme.example\n\n\n\n\n", Bridge{Region: "eu-west-1", Pipelines: []string{"api", "webshop"}}, []string{"[#deploys]", "[eu-west-1]", "AWS shows 2 pipelines:\n  api\n  webshop\n", "[all]"}, false},
		{"one of them", "ana@acme.example\n#shop\neu-central-1\narn:aws:iam::111122223333:role/look\nwebshop\n", Bridge{Region: "eu-central-1", RoleARN: "arn:aws:iam::111122223333:role/look", Pipelines: []string{"webshop"}}, nil, false},
		{"asked again", "ana@acme.example\n\nIreland\nus-east-1\narn:aws:iam::1111:role/x\n\neu-west-1\n\nnone\nall\n", Bridge{Region: "eu-west-1", Pipelines: []string{"api", "webshop"}},
			[]string{`"Ireland" is no Region`, `is not the ARN of a role`, "AWS shows no pipelines in us-east-1", "AWS shows no pipeline none in eu-west-1: there are: api and webshop"}, false},
		{"the end of the input", "ana@acme.example\n\neu-west-1\n", Bridge{}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said strings.Builder
			a, got, err := AskBridge(strings.NewReader(c.typed), &said, Answers{}, Bridge{}, list)
			if errors.Is(err, ErrStopped) != c.stopped || !c.stopped && (err != nil || !reflect.DeepEqual(got, c.want) || a.Admin != "ana@acme.example") {
				t.Errorf("%+v %+v, %v\n%s", a, got, err, said.String())
			}
			for _, s := range c.says {
				if !strings.Contains(said.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, said.String())
				}
			}
		})
	}
}
