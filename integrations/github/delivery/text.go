package delivery

import (
	"encoding/json"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Text is a text of a payload of which nothing depends on its being one: a
// number, or whatever else stands there instead, reads as empty.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = ""
	}
	*t = Text(s)
	return nil
}

// User is an account that a payload names.
type User struct {
	Login Text `json:"login"`
}

// Principal is who pushed, as GitHub says. It has no rights.
func Principal(login, fallback string) workflows.Principal {
	if login == "" {
		login = fallback
	}
	if login == "" {
		login = "unknown"
	}
	return workflows.Principal{ID: "github:" + login, Name: login, Via: "github"}
}

// FirstLine is the first line of a text, cleaned and at most 200 bytes long.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return words.Cut(clean.Line(line), 200)
}
