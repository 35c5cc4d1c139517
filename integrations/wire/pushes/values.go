package pushes

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// IsCommit says whether a text is the whole ID of a commit.
func IsCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && isHex(s)
}

// IsShort says whether a text is the beginning of one, as Bitbucket shows them.
func IsShort(s string) bool { return len(s) >= 7 && len(s) < 40 && isHex(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// IsNone says whether a commit's ID means that there is none: all zeros, or empty.
func IsNone(s string) bool { return strings.Trim(s, "0") == "" }

// IsRepository says whether a text is a repository's name, with at least least and at
// most most parts: it becomes part of addresses.
func IsRepository(full string, least, most int) bool {
	parts := strings.Split(full, "/")
	if len(parts) < least || len(parts) > most || len(full) > 400 {
		return false
	}
	for i, part := range parts {
		if i == 0 {
			part = strings.TrimPrefix(part, "~") // a person's own, at Bitbucket Data Center
		}
		if part == "" || part == "." || part == ".." || strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") != "" {
			return false
		}
	}
	return true
}

// FirstLine is the first line of a commit's text, as people see it.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return words.Cut(clean.Line(line), 200)
}

// Named is a name from outside, in quotes, for messages.
func Named(text string) string { return words.Quoted(words.Cut(clean.Line(text), 80)) }

// Instant reads a time in one of the forms that vendors write; zero: it cannot be read.
func Instant(s string) time.Time {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05-0700"} {
		if t, err := time.Parse(form, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

// Object reads a JSON object, whose other fields are nobody's business.
func Object(body []byte, into any) error {
	body = bytes.TrimSpace(body)
	if !json.Valid(body) || len(body) == 0 || body[0] != '{' {
		return errors.New("the delivery is verified, but its body is not a JSON object")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return errors.New("the delivery cannot be read: a field has an unexpected type")
	}
	return nil
}

// By is who did something at a vendor, in lower case, as it says. They have no rights.
func By(vendor, login, name string) workflows.Principal {
	if login == "" {
		login = "unknown"
	}
	if name == "" {
		name = login
	}
	return workflows.Principal{ID: vendor + ":" + login, Name: words.Cut(clean.Line(name), 100), Via: vendor}
}
