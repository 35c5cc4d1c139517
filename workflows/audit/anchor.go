package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Word is the message of the log lines that are anchors.
const Word = "anchor"

// ErrNoAnchors says that a text holds none.
var ErrNoAnchors = errors.New("no anchor is in it: no log line with the word anchor, and no message metadata with pipeline, record and hash")

// Anchors reads the anchors of a text: lines of the service's log, as text or as
// JSON and with whatever a collector put before them; or JSON with the metadata
// of messages, however deep it lies.
func Anchors(text []byte) ([]record.Anchor, error) {
	all := documents(text)
	if all == nil {
		for line := range bytes.Lines(text) {
			all = append(all, inLine(string(line))...)
		}
	}
	if len(all) == 0 {
		return nil, ErrNoAnchors
	}
	return all, nil
}

// documents reads a text that is JSON as a whole; nil: it is not.
func documents(text []byte) []record.Anchor {
	all := []record.Anchor{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	for {
		var v any
		switch err := dec.Decode(&v); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			return nil
		}
		all = append(all, within(v)...)
	}
}

// inLine reads one line of a log.
func inLine(line string) []record.Anchor {
	if i := strings.IndexByte(line, '{'); i >= 0 {
		dec := json.NewDecoder(strings.NewReader(line[i:]))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) == nil {
			return within(v)
		}
	}
	if !strings.Contains(line, Word) {
		return nil
	}
	fields := map[string]any{}
	for rest := line; rest != ""; {
		var key, value string
		key, value, rest = field(rest)
		if key != "" {
			fields[key] = value
		}
	}
	if a, ok := anchor(fields); ok {
		return []record.Anchor{a}
	}
	return nil
}

// field takes key=value from the front of a line; a word without = has no key.
func field(s string) (key, value, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	end := strings.IndexAny(s, " \t\r\n=")
	if end < 0 || s[end] != '=' {
		_, rest, _ = strings.Cut(s, " ")
		return "", "", rest
	}
	key, s = s[:end], s[end+1:]
	if quoted, err := strconv.QuotedPrefix(s); err == nil {
		value, _ = strconv.Unquote(quoted)
		return key, value, s[len(quoted):]
	}
	value, rest, _ = strings.Cut(s, " ")
	return key, strings.TrimSpace(value), rest
}

// within finds the anchors in a JSON value.
func within(v any) (all []record.Anchor) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			all = append(all, within(one)...)
		}
	case map[string]any:
		if a, ok := anchor(v); ok {
			all = append(all, a)
		}
		for _, one := range v {
			all = append(all, within(one)...)
		}
	}
	return all
}

// anchor reads the fields of one object.
func anchor(fields map[string]any) (a record.Anchor, ok bool) {
	pipeline, _ := fields["pipeline"].(string)
	sum, _ := fields["hash"].(string)
	var number string
	switch n := fields["record"].(type) {
	case json.Number:
		number = n.String()
	case string:
		number = n
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if raw, bad := hex.DecodeString(sum); err != nil || n == 0 || pipeline == "" || bad != nil || len(raw) != 32 {
		return a, false
	}
	a = record.Anchor{Pipeline: pipeline, Record: n, Hash: strings.ToLower(sum)}
	for _, key := range []string{"at", "time"} {
		if text, is := fields[key].(string); is && a.At.IsZero() {
			a.At, _ = time.Parse(time.RFC3339Nano, text)
		}
	}
	return a, true
}
