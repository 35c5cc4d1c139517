package archtest

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// retired are words for which there is one other word today; the left one
// finds them in names and in prose.
var retired = []struct{ word, today string }{
	{`(?i)doors?`, "transition (code, API), locked (people)"},
	{`closedDoor|[a-z]Door`, "transition"},
	{`(?i)hold=|rollback\.hold|(the|a|rollback's) hold\b|is held:|held (after|door|execution|at)|who was held|staleHold`, "lock"},
	{`(?i)asWas|asIs|as-is`, "original, current"},
	{`letIn\w*|LetIn\w*|(let|lets|letting) in|let through|(?i:(let|lets) it in)`, "admit (code), unlock (people)"},
	{`(?i)shut`, "locked, disabled, closed"},
	{`giveWay|stepOut|consult`, "withdraw, leave, evalRule"},
	{`(?i)whisper\w*`, "ephemeral message"},
	{`(?i)crew`, "goroutine group, team"},
	{`(?i)parcels?`, "commit request"},
	{`(?i)seal(ed|s|er)?`, "flush, deflate"},
	{`(?i)drafts?|drafted`, "pending"},
	{`(?i)nag(s|ged|ging)?|nudges?|nudged`, "log limiter, request"},
	{`(?i)hasten|hurry|rouse[sd]?`, "wake"},
	{`(?i)chased|pursue[sd]?`, "resolve facts"},
	{`(?i)entitled`, "authorize"},
	{`(?i)patience`, "timeout, backoff"},
	{`(?i)check-up`, "self-test"},
	{`(?i)may answer:|never mind`, "Approvers:, Cancel"},
	{`(?i)the house`, "archtest, fixture, overview"},
	{`(tell|told|isTold|settled?|carry|carryOut|held)\(.*`, "report, notify, publish; catchUp, conclude; transfer, perform; blocked"},
	{`PlannedReturn|StopIt|SetFreezes`, "PlannedRollback, StopExecution, ReplaceFreezes"},
}

// kept are the places in which a retired word stays, and why. A file is a
// pattern as in path.Match for its path, or a folder with a slash at its end.
var kept = []struct{ file, words, reason string }{
	{"cmd/rollcall/internal/archtest/retired_test.go", `.*`, "the list itself"},
	{"CHANGELOG.md", `.*`, "says what things were called before"},
	{".ci/guards.txt", `asWas`, "takes out the reader of earlier rows"},
	{"workflows/renamed.go", `hold|Hold|asWas|asIs`, "reads rows that were written under earlier names"},
	{"workflows/renamed_test.go", `hold|asWas|asIs`, "rows under earlier names"},
	{"workflows/digest.go", `hold`, "digests are made of the earlier key"},
	{"workflows/machine/state.go", `Door|door`, "reads checkpoints that were written under the earlier name"},
	{"workflows/checkpoint/checkpoint.go", `Door`, "reads checkpoints that were written under the earlier name"},
	{"workflows/checkpoint/checkpoint_test.go", `door|hold|asWas`, "compares earlier checkpoints by today's names"},
	{"workflows/checkpoint/testdata/checkpoint-*.json", `.*`, "earlier checkpoints"},
	{"store/testdata/", `.*`, "rows as they were written"},
	{"store/renamed_test.go", `hold|Hold|asWas`, "rows under earlier names"},
	{"workflows/spec/object.go", `hold`, "refuses the earlier key with the new name"},
	{"workflows/spec/testdata/earlier-key.yaml*", `hold`, "a file with the earlier key"},
	{"workflows/spec/limits_test.go", `hold`, "a file with the earlier key"},
	{"integrations/github/", `(?i)draft`, "GitHub's word for a pull request, or a release, that is not yet public"},
	{"docs/github.md", `(?i)draft`, "likewise"},
	{"cmd/rollcall/notes.go", `(?i)draft`, "likewise"},
	{"cmd/rollcall/changes_test.go", `(?i)draft`, "likewise"},
	{"web/pages/", `(?i)drafts?`, "a message that has not been sent yet"},
	{"*", `draft 2020-12|draft/2020-12|Draft2020`, "JSON Schema's version"},
}

// TestNoRetiredWord looks for words that have been replaced: in code, texts,
// documentation, examples and golden files. Whoever brings one back gives a
// thing a second name.
func TestNoRetiredWord(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..")
	var all []string
	for _, r := range retired {
		all = append(all, r.word)
	}
	word := regexp.MustCompile(`(^|[^A-Za-z])((` + strings.Join(all, `)|(`) + `))([^A-Za-z]|$)`)
	found := 0
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, file)
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{".git", "node_modules", "dist", "images"}, e.Name()):
			return fs.SkipDir
		case e.Name() == "package-lock.json":
			return nil
		case e.IsDir() || !slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".json", ".txt", ".expected", ".svelte", ".ts", ".mjs", ".sh"}, path.Ext(name)):
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !word.Match(data) {
			return nil
		}
		for i, line := range strings.Split(string(data), "\n") {
			if found < 2000 && word.MatchString(withoutKept(name, line)) {
				found++
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found > 0 {
		t.Log("the list in retired_test.go says what these are called today")
	}
}

// withoutKept is a line without the words that its file may keep.
func withoutKept(name, line string) string {
	for _, k := range kept {
		match, _ := path.Match(k.file, name)
		if match || k.file == "*" || strings.HasSuffix(k.file, "/") && strings.HasPrefix(name, k.file) {
			line = regexp.MustCompile(k.words).ReplaceAllString(line, "")
		}
	}
	return line
}
