package words

import "strings"

// Advice is a hint with the command in it as it is typed where the hint is read:
// program is "rollcall" on the command line and "/rollcall" in chat. A hint that
// names a command ends with it: "see how it stands with: status webshop#42".
// What the command line lists as targets, the form of the rollback shows in chat.
func Advice(hint, program string) string {
	const before = "with: "
	text, command, ok := strings.Cut(hint, before)
	if !ok {
		return hint
	}
	if rest, ok := strings.CutPrefix(command, "targets "); ok && strings.HasPrefix(program, "/") {
		command = "rollback " + rest
	}
	return text + before + program + " " + command
}
