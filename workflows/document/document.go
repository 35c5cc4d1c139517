// Package document reads JSON documents that come from outside: what is at a
// place in one ([Path]), and whether it fits a pattern of EventBridge ([Pattern]).
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Read reads one JSON document; numbers stay as they are written. The error is
// the end of a sentence about the document.
func Read(text []byte) (doc any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, errors.New("is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("is more than one JSON document")
	}
	return doc, nil
}

// Path is a place in a JSON document, in the part of JSONPath that names one:
// "$.release.tags[0]", "$['key with spaces']".
type Path []any // string: a key, int: an index

// ParsePath reads a path. The error names it.
func ParsePath(text string) (Path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	p := Path{}
	for ok && rest != "" {
		var step any
		if step, rest, ok = nextStep(rest); ok {
			p = append(p, step)
		}
	}
	if !ok {
		return nil, fmt.Errorf("%q is no path of a JSON document, such as $.release.tags[0]", words.Cut(clean.Line(text), 100))
	}
	return p, nil
}

// nextStep takes one step off the beginning of a path.
func nextStep(text string) (step any, rest string, ok bool) {
	if key, dotted := strings.CutPrefix(text, "."); dotted {
		end := strings.IndexAny(key, ".[]'\"* ")
		if end < 0 {
			end = len(key)
		}
		return key[:end], key[end:], end > 0
	}
	if quoted, is := strings.CutPrefix(text, "['"); is {
		key, rest, closed := strings.Cut(quoted, "']")
		return key, rest, closed
	}
	if index, is := strings.CutPrefix(text, "["); is {
		number, rest, closed := strings.Cut(index, "]")
		n, err := strconv.ParseUint(number, 10, 31)
		return int(n), rest, closed && err == nil
	}
	return nil, "", false
}

// In returns what is at the path; false: nothing is.
func (p Path) In(doc any) (any, bool) {
	for _, step := range p {
		switch step := step.(type) {
		case string:
			object, _ := doc.(map[string]any)
			value, there := object[step]
			if !there {
				return nil, false
			}
			doc = value
		case int:
			list, _ := doc.([]any)
			if step >= len(list) {
				return nil, false
			}
			doc = list[step]
		}
	}
	return doc, true
}

// Text returns the text, number or truth value at the path, as a text. The error
// is the middle of a sentence: the document "has nothing" at the path.
func (p Path) Text(doc any) (string, error) {
	value, there := p.In(doc)
	if !there {
		return "", errors.New("has nothing")
	}
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool:
		return strconv.FormatBool(value), nil
	}
	return "", errors.New("has no text, number or truth value")
}
