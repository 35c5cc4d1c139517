package card

import (
	"strings"
	"testing"
	"unicode"

	"github.com/rollcall-bot/rollcall/bot/layout"
)

// U29: whatever way text from outside takes into a message, whole terminal
// sequences go, of a line with carriage returns its end stays, and nothing is
// left that steers or turns the reader's eye.
func TestTextFromOutsideInAMessage(t *testing.T) {
	const said = "\x1b[31;1mERROR\x1b[0m: a<b\r\x1b]0;me\x07\u202e50%\r100% of <!here>\u009b0m"
	for name, c := range map[string]struct{ got, want string }{
		"plain_text":  {layout.Line(said, 100), "100% of <!here>"},
		"one line":    {layout.Text(said, 100), "100% of &lt;!here&gt;"},
		"more lines":  {layout.Prose("a\n"+said, 100), "a\n100% of &lt;!here&gt;"},
		"code":        {layout.Code(said, 100), "`100% of &lt;!here&gt;`"},
		"end of logs": {tail("\x1b[31;1mERROR\x1b[0m: broken\n10%\r50%\r100%\n", 100), "ERROR: broken\n100%"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
		if strings.ContainsFunc(c.got, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
			t.Errorf("%s: %q", name, c.got)
		}
	}
}

// A carriage return overwrites what stood before it: what is left may be nothing, and Slack takes no empty text.
func TestDoneIsNeverEmpty(t *testing.T) {
	for _, text := range []string{"x\r\u3000", "", " \n"} {
		if got := Done(text, nil, "").Text; got != "Done" {
			t.Errorf("%q is said as %q", text, got)
		}
	}
}
