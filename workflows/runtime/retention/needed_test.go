package retention_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/machine"
	"github.com/rollcall-bot/rollcall/workflows/runtime/retention"
)

// What a pipeline needs is what its state still names: the state as it is stored, and the IDs that must stay.
func TestNeeded(t *testing.T) {
	many := func(from, to int) (all []string) {
		for n := from; n >= to; n-- {
			all = append(all, fmt.Sprintf(`{"execution":"s%d","ran":[]}`, n))
		}
		return all
	}
	for name, c := range map[string]struct{ state, want string }{
		"nothing":                 {`{}`, ""},
		"what has not ended":      {`{"executions":[{"id":"a"},{"id":"b"}]}`, "a b"},
		"what that goes back to":  {`{"executions":[{"id":"r","rollback":{"target":"t","leftExecution":"l","failedExecution":"f"}}]}`, "f l r t"},
		"what a stage runs":       {`{"stages":{"Production":{"runs":{"execution":"a","by":"r"},"transition":{"enabled":true}}}}`, "a r"},
		"what is in quarantine":   {`{"stages":{"Production":{"left":[{"execution":"bad"},{"execution":"worse"}],"transition":{"enabled":true}}}}`, "bad worse"},
		"a planned rollback":      {`{"stages":{"Production":{"planned":{"target":"t"},"transition":{"enabled":true}}}}`, "t"},
		"who alone may enter":     {`{"stages":{"Production":{"transition":{"only":"o"}}}}`, "o"},
		"work that may go on":     {`{"orphans":[{"id":"x/Production/Deploy/1"}]}`, "x"},
		"the last 20 successes":   {`{"stages":{"Production":{"successes":[` + strings.Join(many(25, 1), ",") + `],"transition":{}}}}`, words("s", 25, 6)},
		"of an earlier stage too": {`{"stages":{"Gone":{"successes":[` + strings.Join(many(1, 1), ",") + `],"transition":{}}}}`, "s1"},
		"not of the source stage": {`{"version":1,"definitions":{"1":{"name":"p","stages":[{"name":"Source"},{"name":"Production"}]}},"stages":{
			"Source":{"runs":{"execution":"b"},"successes":[{"execution":"b","ran":[]}],"latest":{"execution":"b"},"transition":{}},
			"Production":{"runs":{"execution":"a"},"transition":{}}}}`, "a"},
		"not who came last, when it failed": {`{"stages":{"Production":{"latest":{"execution":"f"},"touched":{"execution":"f"},"transition":{}}}}`, ""},
		"not what a token led to":           {`{"answers":{"token":{"execution":"a"}}}`, ""},
	} {
		s := machine.New("p")
		if err := json.Unmarshal([]byte(c.state), s); err != nil {
			t.Fatal(name, err)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(retention.Needed(s, 20))), " "); got != c.want {
			t.Errorf("%s: %q is needed, want %q", name, got, c.want)
		}
	}
}

func words(prefix string, from, to int) string {
	var all []string
	for n := from; n >= to; n-- {
		all = append(all, fmt.Sprint(prefix, n))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
