package api

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// SplitRepository checks "owner/name" before it becomes part of an address:
// the client does not escape it, and ".." would leave the repository.
func SplitRepository(full string) (owner, name string, err error) {
	owner, name, ok := strings.Cut(full, "/")
	if !ok || !IsName(owner) || !IsName(name) {
		return "", "", fmt.Errorf("%q is not a repository: owner/name is wanted", words.Cut(clean.Line(full), 80))
	}
	return owner, name, nil
}

// IsName says whether a text can be the name of an owner, a repository or a file of a workflow.
func IsName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 100 {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// IsSHA says whether a text is the whole ID of a commit.
func IsSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
