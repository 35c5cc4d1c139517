package source_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/source"
)

// T11: an address with a secret is known as one, and shown without it.
func TestAddresses(t *testing.T) {
	for address, shown := range map[string]string{
		"https://git.example/acme/webshop.git":                "",
		"https://git.example:8443/acme/web@shop":              "",
		"https://git.example/#{variables.team}/webshop":       "",
		"https://[2001:db8::1]:8443/acme/webshop":             "",
		"ssh://git@git.example:2222/acme/webshop.git":         "",
		"git@git.example:acme/webshop.git":                    "",
		"/srv/git/webshop.git":                                "",
		"file:///srv/git/webshop.git":                         "",
		"https://bob:PW@git.example/acme/webshop":             "https://***@git.example/acme/webshop",
		"https://PW@git.example/acme/webshop":                 "https://***@git.example/acme/webshop",
		"HTTPS://PW@git.example/acme/webshop":                 "HTTPS://***@git.example/acme/webshop",
		"https://bob:PW@git.example/#{variables.team}/shop":   "https://***@git.example/",
		"https://bob:P/W@git.example/acme/webshop":            "https://***@git.example/acme/webshop",
		"https://bob:PW":                                      "https://***",
		"ssh://git:PW@git.example/acme/webshop":               "ssh://***@git.example/acme/webshop",
		"https://git.example/acme/webshop?token=PW":           "https://git.example/acme/webshop",
		"https://git.example/acme/webshop#PW":                 "https://git.example/acme/webshop",
		"https://bob:x@y@git.example/acme/webshop?token=PW#x": "https://***@git.example/acme/webshop",
		"u:PW@git.example:acme/webshop":                       "***@git.example:acme/webshop",
		"https:/bob:PW@git.example/acme/webshop":              "***@git.example/acme/webshop",
	} {
		message, hint := source.Fault(address)
		if (message == "") != (shown == "") || strings.Contains(message+hint, "PW") {
			t.Errorf("%s: %q (%s)", address, message, hint)
		}
		if shown == "" {
			shown = address
		}
		if got := source.Shown(address); got != shown {
			t.Errorf("%s is shown as %s, want %s", address, got, shown)
		}
	}
}

// D3: whether an action has an output depends on where its repository is.
func TestOutputs(t *testing.T) {
	for _, c := range []struct {
		provider, repository string
		url                  bool
	}{
		{"GitHub", "", true}, {"CodeStarSourceConnection", "", true},
		{"Git", "https://git.example/acme/webshop.git", true}, {"Git", "https://git.example/acme/team/webshop/", true},
		{"Git", "https://git.example/webshop", false}, {"Git", "git@git.example:acme/webshop.git", false}, {"Git", "/srv/git/acme/webshop", false},
	} {
		names, known := source.Outputs(&workflows.Action{ActionType: workflows.ActionType{Provider: c.provider}, Configuration: map[string]string{"Repository": c.repository}})
		if !known || slices.Contains(names, "CommitUrl") != c.url || !slices.Contains(names, "CommitId") || !slices.IsSorted(names) {
			t.Errorf("%s at %s: %v", c.provider, c.repository, names)
		}
	}
	if _, known := source.Outputs(&workflows.Action{ActionType: workflows.ActionType{Provider: "CodeBuild"}}); known {
		t.Error("nobody knows what others leave")
	}
}
