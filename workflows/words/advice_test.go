package words

import "testing"

// A command in a hint is written as it is typed: with rollcall in a shell, with
// the slash command in chat, where the form of the rollback shows the targets (D11).
func TestAHintNamesTheCommandAsItIsTyped(t *testing.T) {
	for _, c := range []struct{ hint, shell, chat string }{
		{"see how it stands with: status webshop#4", "see how it stands with: rollcall status webshop#4", "see how it stands with: /rc status webshop#4"},
		{"see what can be chosen with: targets webshop Production", "see what can be chosen with: rollcall targets webshop Production", "see what can be chosen with: /rc rollback webshop Production"},
		{"targets are people too", "targets are people too", "targets are people too"},
		{"", "", ""},
	} {
		if got := Advice(c.hint, "rollcall"); got != c.shell {
			t.Errorf("%q in a shell: %q", c.hint, got)
		}
		if got := Advice(c.hint, "/rc"); got != c.chat {
			t.Errorf("%q in chat: %q", c.hint, got)
		}
	}
}
