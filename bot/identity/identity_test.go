package identity_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/bot/identity"
	"github.com/rollcall-bot/rollcall/bot/internal/blocktest"
)

var at = time.Date(2026, 3, 12, 14, 2, 0, 0, time.UTC)

// gallery is all that people read and press about who they are, with words from outside in it.
func gallery(name, host, address, about string) []blocktest.Drawing {
	link := "https://rollcall.acme.example/login?link=" + strings.Repeat("0123456789abcdef", 4)
	return []blocktest.Drawing{
		blocktest.Message("invitation", identity.Invitation(link, name, "")),
		blocktest.Message("invitation-execution", identity.Invitation(link, name, about)),
		blocktest.Message("terminal", identity.Question(strings.Repeat("ab", 32), host, address, name, at)),
		blocktest.Message("terminal-signed-in", identity.Answered(true, host, name, "/rollcall")),
		blocktest.Message("terminal-refused", identity.Answered(false, host, name, "/rollcall")),
	}
}

func TestGolden(t *testing.T) {
	blocktest.Golden(t, gallery("Ana", "anas-laptop", "192.0.2.1", "webshop#42"))
}

// Whatever people and machines call themselves, Slack takes every drawing about
// them, and their names are nothing but text.
func TestNamesOfPeopleAndMachinesAreText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string { return blocktest.Text().Draw(t, label) }
		for _, d := range gallery(text("name"), text("host"), text("address"), text("about")) {
			for _, fault := range d.Faults() {
				t.Errorf("%s: %s", d.Name, fault)
			}
		}
	})
}
