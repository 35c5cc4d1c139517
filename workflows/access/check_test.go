package access_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
)

func TestCheckReportsEveryFaultWithItsPath(t *testing.T) {
	p := &access.Policy{
		Admins: []string{"ana", "token:ci"},
		Groups: map[string][]string{
			"release-managers": {"ben@acme.example", "group:sra"},
			"sre":              {"group:oncall"},
			"oncall":           {"group:sre"},
		},
		Deputies: map[string]string{"ben@acme.example": "BEN@acme.example", "cho": "dan@acme.example"},
		Rules: []access.Rule{
			rule("view aproove reject", "everyone group:release-manager slack-group:release-managers", "webshop */[Production a/b/c / webshop/"),
			rule("", "", ""),
		},
		Tokens: map[string][]workflows.Verb{"ci": verbs("view launch")},
	}
	var got []string
	for _, f := range p.Check() {
		got = append(got, strings.Join(f.Path, " ")+": "+f.Message+" ("+f.Hint+")")
	}
	want := []string{
		`admins 0: "ana" names nobody (write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone)`,
		"admins 1: \"token:ci\" is a machine, not a person (a token may what its `may` in api.tokens lists; a gate names token:ci in its own `from`)",
		`access groups oncall: the group names itself: oncall -> sre -> oncall (take one of them out)`,
		`access groups release-managers 1: there is no group "sra" (did you mean sre?)`,
		`access groups sre: the group names itself: sre -> oncall -> sre (take one of them out)`,
		`access deputies ben@acme.example: BEN@acme.example stands in for themself (name somebody else)`,
		`access deputies cho: "cho" is not an e-mail address (deputies are one person for another: {ben@acme.example: cho@acme.example})`,
		`access rules 0 allow 1: "aproove" is not a verb that can be allowed (did you mean approve?)`,
		`access rules 0 allow 2: "reject" is not a verb that can be allowed (approve includes it)`,
		`access rules 0 to 1: there is no group "release-manager" (did you mean release-managers?)`,
		`access rules 0 to 2: "slack-group:release-managers" names nobody (write an e-mail address, group:NAME, slack-group:S…, github-team:ORG/TEAM, token:NAME or everyone)`,
		`access rules 0 on 1: "*/[Production" is not a pattern ([ needs its ], and \ something after it)`,
		`access rules 0 on 2: "a/b/c" names neither a pipeline nor a stage (write PIPELINE or PIPELINE/STAGE, each part may hold *)`,
		`access rules 0 on 3: "/" names neither a pipeline nor a stage (write PIPELINE or PIPELINE/STAGE, each part may hold *)`,
		`access rules 0 on 4: "webshop/" names neither a pipeline nor a stage (write PIPELINE or PIPELINE/STAGE, each part may hold *)`,
		"access rules 1: the rule allows nothing (add `allow`, a list of verbs)",
		"access rules 1: the rule allows nobody (add `to`, a list such as [group:release-managers])",
		`api tokens ci may 1: "launch" is not a verb that can be allowed (one of view, logs, start, stop, retry, approve, rollback, override, lock, unlock, resolve, edit, audit, start-any-revision)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	if faults := (&access.Policy{Admins: []string{"ana@acme.example"}, Groups: map[string][]string{"empty": {}}}).Check(); len(faults) != 0 {
		t.Errorf("a fine policy has faults: %+v", faults)
	}
}

func TestCheckWhoKnowsThePolicysGroupsAndTokens(t *testing.T) {
	for who, want := range map[string]string{
		"ana@acme.example": "", "everyone": "", "group:platform": "", "token:ci": "", "slack-group:S0123ABC": "",
		"group:platfrom": `there is no group "platfrom"`, "token:cd": `there is no token "cd"`, "ana": `"ana" names nobody`,
	} {
		var got string
		if fault := policy().CheckWho(who); fault != nil {
			got = fault.Message
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", who, got, want)
		}
	}
}

func TestOpenSettingsAreSaid(t *testing.T) {
	for _, c := range []struct {
		about string
		p     access.Policy
		want  []string
	}{
		{"the manual's policy is closed", *policy(), nil},
		{"admins alone are closed", access.Policy{Admins: []string{"ana@acme.example"}}, nil},
		{"nothing set", access.Policy{}, []string{"no admins or access rules are configured: members of the workspace can only view, and only tokens may act"}},
		{"allowAll", access.Policy{AllowAll: true}, []string{"access.allowAll is on: every member of the workspace may do everything"}},
		{"everyone approves", access.Policy{Rules: []access.Rule{rule("view approve rollback", "everyone", "*/Production")}},
			[]string{"access.rules[0] lets every member of the workspace approve, rollback on */Production"}},
		{"everyone by way of a group", access.Policy{Groups: map[string][]string{"all": {"everyone"}}, Admins: []string{"group:all"}},
			[]string{"admins names everyone: every member of the workspace may do everything"}},
	} {
		t.Run(c.about, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.p.Open()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
