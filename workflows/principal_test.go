package workflows_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/rollcall-bot/rollcall/workflows"
)

// T15: an address is somebody's in either case of its ASCII letters, and in no
// other spelling: what Unicode folds, and bytes that are no UTF-8, are other people's.
func TestAnAddressIsComparedByASCIICaseOnly(t *testing.T) {
	ascii := func(s string, to func(rune) rune) string {
		return strings.Map(func(r rune) rune {
			if r < unicode.MaxASCII {
				return to(r)
			}
			return r
		}, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SampledFrom([]rune("aAkKsSiIzZ09.+-_@\u212a\u017f\u0130\u0131äÄßÅ\u212b"))
		mail := rapid.StringOfN(letters, 1, 12, -1).Draw(t, "mail")
		other := rapid.StringOfN(letters, 1, 12, -1).Draw(t, "other")
		p := workflows.Principal{ID: "slack:U1", Email: mail}
		upper, lower := ascii(mail, unicode.ToUpper), ascii(mail, unicode.ToLower)
		for _, same := range []string{mail, upper, lower} {
			if !p.HasMail(same) || p.Key() != (workflows.Principal{Email: same}).Key() {
				t.Fatalf("%q is not %q", mail, same)
			}
		}
		if same := ascii(other, unicode.ToLower) == lower; p.HasMail(other) != same || p.Is(workflows.Principal{ID: "console:x", Email: other}) != same {
			t.Fatalf("%q is %q: %v", mail, other, !same)
		}
	})
	for mail, other := range map[string]string{"sam@acme.example": "\u017fam@acme.example", "kim@acme.example": "\u212aim@acme.example", "a\xff@acme.example": "a\xfe@acme.example"} {
		p := workflows.Principal{ID: "slack:U1", Email: mail}
		if p.HasMail(other) || p.Key() == (workflows.Principal{Email: other}).Key() {
			t.Errorf("%q is taken for %q", other, mail)
		}
	}
	if (workflows.Principal{ID: "slack:U1"}).HasMail("") {
		t.Error("nobody's address is somebody's")
	}
}

// U16: a machine is named as one wherever somebody is named.
func TestCalled(t *testing.T) {
	for want, p := range map[string]workflows.Principal{
		"Ana":          {ID: "slack:U1", Name: "Ana"},
		"slack:U2":     {ID: "slack:U2"},
		"token laptop": {ID: "token:laptop", Name: "laptop"},
		"hook nightly": {ID: "token:hook:nightly", Name: "hook:nightly", Via: "hook"},
		"rollcall":     workflows.EnginePrincipal(),
	} {
		if got := p.Called(); got != want {
			t.Errorf("%+v is called %q, want %q", p, got, want)
		}
	}
}
