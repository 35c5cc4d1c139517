package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts types commands as people do; each file of testdata/script is one
// session in a folder of its own. ROLLCALL_URL is an address that a script's
// own service may listen on ($ADDR); the command ready waits for it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			addr := freeAddr(t)
			e.Setenv("ADDR", addr)
			e.Setenv("ROLLCALL_URL", "http://"+addr)
			root, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			e.Setenv("CLONE", root)
			e.Setenv("ROLLCALL_TOKEN", "token-of-the-script")
			e.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			for _, role := range []string{"AUTHOR", "COMMITTER"} {
				e.Setenv("GIT_"+role+"_NAME", "Dan")
				e.Setenv("GIT_"+role+"_EMAIL", "dan@acme.example")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready, "until": until},
	})
}

// ready waits until the script's service can take requests.
func ready(ts *testscript.TestScript, neg bool, _ []string) {
	patiently(ts, neg, "the service is not ready", func() bool {
		res, err := http.Get(ts.Getenv("ROLLCALL_URL") + "/readyz") //nolint:noctx // a probe on loopback
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// until runs a command again and again until it succeeds and prints its first argument.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND…")
	}
	patiently(ts, neg, args[1]+" never printed "+args[0], func() bool {
		return ts.Exec(args[1], args[2:]...) == nil && regexp.MustCompile("(?m)"+args[0]).MatchString(ts.ReadFile("stdout"))
	})
}

func patiently(ts *testscript.TestScript, neg bool, complaint string, holds func() bool) {
	if neg {
		ts.Fatalf("there is no opposite of waiting")
	}
	deadline := time.After(testTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("waited %s in vain: %s", testTimeout, complaint)
		}
	}
}
