package rehearsal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/document"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// shape is what a key may hold: how the reference calls it, and the check.
type shape struct {
	says  string
	check func(c *checker, n *node)
}

// field is a key of a section.
type field struct {
	key   string
	holds shape
	says  string // what it means, for the reference
}

// checker walks a file along the shapes and reports what does not fit.
type checker struct {
	*faults
	names names
}

// names are what a test file can refer to.
type names struct {
	people     []string
	stages     []string
	actions    []string // Stage/Action; rules of conditions as Stage/beforeEntry:Rule
	gates      []string // Stage/Action
	conditions []string // Stage/beforeEntry
	sources    []string // source actions
	variables  []string // of the pipeline
	zone       *time.Location
}

// suggestion is the hint for an unknown word: the nearest known one, or all of them.
func suggestion(word string, known []string) string {
	if near, ok := words.Nearest(word, known); ok {
		return "did you mean " + near + "?"
	}
	// Somebody may have left out the stage, or named it wrongly.
	if _, last, ok := strings.Cut("/"+word, "/"); ok {
		for _, k := range known {
			if strings.HasSuffix(k, "/"+last[strings.LastIndex(last, "/")+1:]) {
				return "did you mean " + k + "?"
			}
		}
	}
	if len(known) == 0 {
		return "there is none"
	}
	return "known: " + strings.Join(known, ", ")
}

// value is a shape of one scalar; fault says what is wrong with its text, and what to do.
func value(says string, fault func(c *checker, text string) (message, hint string)) shape {
	return shape{says, func(c *checker, n *node) {
		switch n.kind {
		case null:
			c.add(n, "there is no value", "write "+says+"; # begins a comment unless it is quoted")
		case scalar:
			if message, hint := fault(c, n.text); message != "" {
				c.add(n, message, hint)
			}
		default:
			c.add(n, "this must be "+says, "")
		}
	}}
}

func text(says string) shape {
	return value(says, func(*checker, string) (string, string) { return "", "" })
}

// jsonText is a JSON document in one text.
func jsonText() shape {
	return value("JSON", func(_ *checker, text string) (string, string) {
		if _, err := document.Read([]byte(text)); err != nil {
			return "the event " + err.Error(), `such as '{"source": "acme.registry", "detail-type": "Image released", "detail": {"tag": "v1"}}'`
		}
		return "", ""
	})
}

// known is a word of those that the names list.
func known(says, kind string, of func(names) []string) shape {
	return value(says, func(c *checker, text string) (string, string) {
		if slices.Contains(of(c.names), text) {
			return "", ""
		}
		return "there is no " + kind + " " + words.Quoted(text), suggestion(text, of(c.names))
	})
}

func oneOf(choices ...string) shape {
	return value(strings.Join(choices, " \\| "), func(_ *checker, text string) (string, string) {
		if slices.Contains(choices, text) {
			return "", ""
		}
		return "this cannot be " + words.Quoted(text), suggestion(text, choices)
	})
}

func yesNo() shape { return oneOf("true", "false") }

func number(least int) shape {
	return value("a number", func(_ *checker, text string) (string, string) {
		if n, err := strconv.Atoi(text); err == nil && n >= least {
			return "", ""
		}
		return words.Quoted(text) + " is not a number", fmt.Sprintf("a whole number, %d or more", least)
	})
}

// execution is the number of an execution: 2, or "#2".
func execution() shape {
	return value("an execution's number", func(_ *checker, text string) (string, string) {
		if _, ok := executionNumber(text); ok {
			return "", ""
		}
		return words.Quoted(text) + " is not the number of an execution", "write 1 for the first one that the test starts, 2 for the second"
	})
}

func executionNumber(text string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(text, "#"))
	return n, err == nil && n > 0 && n < 1_000_000
}

// executionOrNone is a number, or the word `nothing`.
func executionOrNone() shape {
	return value("an execution's number, or `nothing`", func(_ *checker, text string) (string, string) {
		if _, ok := executionNumber(text); ok || text == nothing {
			return "", ""
		}
		return words.Quoted(text) + " is not the number of an execution", "write 1 for the first one that the test starts, or nothing"
	})
}

// nothing is the word for: there is none.
const nothing = "nothing"

func duration() shape {
	return value("a duration such as 90m or 25h", func(_ *checker, text string) (string, string) {
		if _, ok := span(text); ok {
			return "", ""
		}
		return words.Quoted(text) + " is not a duration", "such as 30s, 90m, 25h or 2d"
	})
}

// span reads a duration; it knows days too.
func span(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0 && n < 10_000
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0 && d < 10_000*24*time.Hour
}

func moment() shape {
	return value("a moment such as 2026-12-24 18:00", func(c *checker, text string) (string, string) {
		if _, ok := momentIn(text, time.UTC); ok {
			return "", ""
		}
		return words.Quoted(text) + " is not a moment", "write 2026-12-24 18:00, in the file's timezone"
	})
}

func momentIn(text string, zone *time.Location) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at, at.Year() > 1970 && at.Year() < 2200
		}
	}
	return time.Time{}, false
}

// person is somebody who acts: a name of `people`, or token:NAME.
func person() shape {
	return value("a person", func(c *checker, text string) (string, string) {
		if kind, _, ok := subject.Split(text); slices.Contains(c.names.people, text) || ok && (kind == subject.Mail || kind == subject.Token) {
			return "", ""
		}
		return "there is nobody called " + words.Quoted(text), orAdd(suggestion(text, c.names.people), "add them to people")
	})
}

func orAdd(hint, otherwise string) string {
	if strings.HasPrefix(hint, "did you mean") {
		return hint
	}
	return otherwise
}

// who is a who-expression, in which people may be named as in `people`.
func who() shape {
	return value("who", func(c *checker, text string) (string, string) {
		if _, _, ok := subject.Split(text); ok || slices.Contains(c.names.people, text) {
			return "", ""
		}
		return words.Quoted(text) + " names nobody", orAdd(suggestion(text, c.names.people), "write a name of people, a mail address, group:NAME, token:NAME or everyone")
	})
}

func status() shape {
	words := []string{}
	for _, s := range []workflows.Status{workflows.StatusNotStarted, workflows.StatusInProgress, workflows.StatusStopping, workflows.StatusStopped,
		workflows.StatusSucceeded, workflows.StatusSuperseded, workflows.StatusFailed, workflows.StatusCancelled, workflows.StatusAbandoned,
		workflows.StatusSkipped, workflows.StatusErrored, workflows.StatusOverridden} {
		words = append(words, string(s))
	}
	s := oneOf(words...)
	s.says = "a status"
	return s
}

func stage() shape { return known("a stage", "stage", func(n names) []string { return n.stages }) }

func action() shape {
	return known("Stage/Action", "action", func(n names) []string { return n.actions })
}

// actionOrNone is an action, or the word `nothing`.
func actionOrNone() shape {
	return shape{"Stage/Action", func(c *checker, n *node) {
		if n.kind != scalar || n.text != nothing {
			action().check(c, n)
		}
	}}
}

// someone is a person of the file, or a word for all or none of them.
func someone() shape {
	return shape{"a person, `everyone` or `nobody`", func(c *checker, n *node) {
		if n.kind != scalar || n.text != subject.Everyone && n.text != nobody {
			person().check(c, n)
		}
	}}
}

const nobody = "nobody"

// listOf is a list of a shape; a single value stands for a list of one.
func listOf(of shape) shape {
	return shape{"[" + of.says + "]", func(c *checker, n *node) {
		if n.kind != list {
			of.check(c, n)
			return
		}
		for _, item := range n.items {
			of.check(c, item)
		}
	}}
}

// tableOf is a mapping.
func tableOf(key, val shape) shape {
	return shape{fmt.Sprintf("{%s: %s}", key.says, val.says), func(c *checker, n *node) {
		if n.kind != mapping {
			c.add(n, "this must hold keys and values", fmt.Sprintf("such as {%s: %s}", key.says, val.says))
			return
		}
		for _, e := range n.entries {
			key.check(c, e.key)
			val.check(c, e.value)
		}
	}}
}

// either is one shape for a single value and another for the rest.
func either(one, rest shape) shape {
	return shape{one.says + ", or " + rest.says, func(c *checker, n *node) {
		if n.kind == scalar || n.kind == null {
			one.check(c, n)
			return
		}
		rest.check(c, n)
	}}
}

// section is a mapping with certain keys. The keys that must be there have a ! behind them.
func section(what string, fields []field) shape {
	keys := map[string]shape{}
	var order, must []string
	for _, f := range fields {
		name, needed := strings.CutSuffix(f.key, "!")
		if needed {
			must = append(must, name)
		}
		order = append(order, name)
		keys[name] = f.holds
	}
	return shape{"{" + strings.Join(order, ", ") + "}", func(c *checker, n *node) {
		if n.kind != mapping {
			c.add(n, what+" must hold keys and values", "such as {"+order[0]+": …}")
			return
		}
		for _, e := range n.entries {
			if holds, ok := keys[e.key.text]; ok {
				holds.check(c, e.value)
				continue
			}
			c.add(e.key, what+" has no key "+words.Quoted(e.key.text), suggestion(e.key.text, order))
		}
		for _, key := range must {
			if n.get(key) == nil {
				c.add(n, what+" has no "+key, "add "+key+": …")
			}
		}
	}}
}
