package commands

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// withToken is a task whose environment names a secret.
func withToken(line string) work.Task {
	tk := task(line)
	tk.Action.EnvironmentVariables = []workflows.EnvironmentVar{{Name: "MODE", Value: "fast", Type: "PLAINTEXT"}, {Name: "TOKEN", Value: "prod/shop/token", Type: "SECRETS_MANAGER"}}
	tk.Environment = map[string]string{"MODE": "fast", "TOKEN": "prod/shop/token"}
	return tk
}

// fetches answers with one value of TOKEN.
func fetches(value string) func(context.Context, work.Task) (map[string]string, *workflows.Reason, error) {
	return func(context.Context, work.Task) (map[string]string, *workflows.Reason, error) {
		return map[string]string{"TOKEN": value}, nil, nil
	}
}

// The name of a secret is not the secret: where none can be fetched, a command that
// would be given it in its place does not run.
func TestSecretsThatCannotBeFetchedAreRefused(t *testing.T) {
	tk := withToken("touch ran")
	o := run(t, New(Options{}), tk, newDesk(t))
	if o.State != work.Failed || o.Error.Code != "ConfigurationInvalid" || !strings.Contains(o.Error.Message, "TOKEN is of type SECRETS_MANAGER") || strings.Contains(o.Error.Message, "prod/shop") {
		t.Errorf("%s %+v", o.State, o.Error)
	}
	for value, want := range map[string]string{"": "was not fetched", "a\x00b": "holds a null character"} {
		fetch := fetches(value)
		if value == "" {
			fetch = func(context.Context, work.Task) (map[string]string, *workflows.Reason, error) { return nil, nil, nil }
		}
		if o := run(t, New(Options{Fetch: fetch}), tk, newDesk(t)); o.State != work.Failed || !strings.Contains(o.Error.Message, want) {
			t.Errorf("%q: %s %+v", value, o.State, o.Error)
		}
	}
}

// A secret reaches the commands, and nobody else: not the log, in whatever form it is
// printed, not the outputs, not the run folder, not the task.
func TestSecretsReachTheCommandsAlone(t *testing.T) {
	const secret = "s3cret-of-the-shop"
	tk, d := withToken(`test "$TOKEN" = `+secret+` && echo "it is $TOKEN, $MODE"; printf %s "$TOKEN" | base64; export COPY="$TOKEN" SAFE=1`), newDesk(t)
	tk.Action.OutputVariables = []string{"COPY", "SAFE"}
	o := run(t, New(Options{Fetch: fetches(secret)}), tk, d)
	if o.State != work.Succeeded || o.Outputs["SAFE"] != "1" || o.Outputs["COPY"] != "" {
		t.Fatalf("%s %+v %v", o.State, o.Error, o.Outputs)
	}
	log, err := os.ReadFile(d.LogFile())
	if err != nil || !strings.Contains(string(log), "it is ***, fast") {
		t.Errorf("the log: %q %v", log, err)
	}
	for _, form := range []string{secret, "czNjcmV0LW9mLXRoZS1zaG9w"} {
		if strings.Contains(string(log), form) {
			t.Errorf("the log shows %s", form)
		}
	}
	if tk.Environment["TOKEN"] != "prod/shop/token" {
		t.Error("the task holds the secret")
	}
	for name, text := range filesIn(t, d.Dir()) {
		if strings.Contains(text, secret) {
			t.Errorf("%s in the run folder holds the secret", name)
		}
	}
}

// What AWS refuses ends the action with what is known of it; what may pass does not.
func TestFetchingFails(t *testing.T) {
	finding := &workflows.Finding{Class: "AccessDenied", Title: "the role may not"}
	refused := &workflows.Reason{Code: "ConfigurationInvalid", Message: "TOKEN cannot be read", Finding: finding}
	o := run(t, New(Options{Fetch: func(context.Context, work.Task) (map[string]string, *workflows.Reason, error) {
		return nil, refused, nil
	}}), withToken("touch ran"), newDesk(t))
	if o.State != work.Failed || o.Error.Message != refused.Message || o.Error.Finding == nil || o.Error.Finding.Title != finding.Title {
		t.Errorf("%s %+v", o.State, o.Error)
	}
	tries := 0
	r, d, tk := New(Options{Fetch: func(context.Context, work.Task) (map[string]string, *workflows.Reason, error) {
		if tries++; tries == 1 {
			return nil, nil, errors.New("too many calls")
		}
		return map[string]string{"TOKEN": "s3cret-of-the-shop"}, nil, nil
	}}), newDesk(t), withToken("true")
	if _, err := r.Start(t.Context(), tk, d); err == nil || !strings.Contains(err.Error(), "too many calls") {
		t.Errorf("error %v", err)
	}
	if _, begun, err := r.Find(t.Context(), tk, d); begun || err != nil {
		t.Errorf("it began: %v, %v", begun, err)
	}
	if o := run(t, r, tk, d); o.State != work.Succeeded {
		t.Errorf("%s %+v", o.State, o.Error)
	}
}

// filesIn are the files below a folder, by path.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
