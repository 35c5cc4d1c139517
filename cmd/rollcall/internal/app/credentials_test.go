package app

import (
	"slices"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

// Admins are warned whom the configuration names by their address, once each; nobody else sees it.
func TestWhoIsWarnedAboutCredentials(t *testing.T) {
	a := &App{policy: &access.Policy{Admins: []string{"ana@acme.example", "group:leads", "slack-group:S1"}, Groups: map[string][]string{"leads": {"cho@acme.example", "ana@acme.example"}}}}
	if got := a.adminAddresses(); !slices.Equal(got, []string{"ana@acme.example", "cho@acme.example"}) {
		t.Errorf("warned are %q", got)
	}
	if got := a.expiring(workflows.Principal{Email: "ana@acme.example"}); got != nil {
		t.Errorf("without a calendar: %q", got)
	}
}
