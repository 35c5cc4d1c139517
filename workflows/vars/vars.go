// Package vars reads and replaces variables in text: #{namespace.key}.
//
// A reference names a namespace and a key, both made of letters, digits, "@",
// "-" and "_", and both case-sensitive. A text may hold several. Replacement
// is textual and happens once: a value that itself looks like a reference
// stays as it is. A "#" that is not followed by "{" is an ordinary character;
// "#{" always begins a reference, and one that is not well-formed is an
// [Error] with its position, never silently kept.
package vars

import (
	"fmt"
	"strings"
)

// Ref is one reference, #{Namespace.Key}.
type Ref struct{ Namespace, Key string }

// String is the reference as it is written.
func (r Ref) String() string { return "#{" + r.Namespace + "." + r.Key + "}" }

// Error is a fault in a text: a malformed reference, or one without a value.
type Error struct {
	Offset  int    // of the "#", in bytes from the beginning of the text
	Message string // one sentence without the position
	Ref     Ref    // the reference without a value; zero for a malformed one
}

// Error is the sentence with the position behind it.
func (e *Error) Error() string { return fmt.Sprintf("%s, at character %d", e.Message, e.Offset+1) }

// Refs returns the references of a text in the order they appear, each as
// often as it appears. The error is an *[Error] about the first malformed one.
func Refs(text string) ([]Ref, error) {
	var refs []Ref
	_, err := replace(text, func(r Ref) (string, bool) {
		refs = append(refs, r)
		return "", true
	})
	if err != nil {
		return nil, err
	}
	return refs, nil
}

// Resolve returns the text with every reference replaced by its value. Where
// value answers false, the result is an *[Error] that names the reference.
func Resolve(text string, value func(Ref) (string, bool)) (string, error) {
	return replace(text, value)
}

// Rewrite returns the text with every reference replaced by other text, such
// as the name of an environment variable. The error is an *[Error] about the
// first malformed reference.
func Rewrite(text string, with func(Ref) string) (string, error) {
	return replace(text, func(r Ref) (string, bool) { return with(r), true })
}

func replace(text string, value func(Ref) (string, bool)) (string, error) {
	var out strings.Builder
	for at := 0; ; {
		i := strings.Index(text[at:], "#{")
		if i < 0 {
			out.WriteString(text[at:])
			return out.String(), nil
		}
		out.WriteString(text[at : at+i])
		at += i
		ref, n, fault := scan(text[at:])
		if fault != "" {
			return "", &Error{Offset: at, Message: fault}
		}
		v, ok := value(ref)
		if !ok {
			return "", &Error{Offset: at, Ref: ref, Message: ref.String() + " has no value"}
		}
		out.WriteString(v)
		at += n
	}
}

// scan reads the reference that text begins with and returns its length, or what is wrong with it.
func scan(text string) (r Ref, n int, fault string) {
	const form = `, write #{namespace.key}`
	body := text[len("#{"):]
	ns := word(body)
	if ns == "" {
		return r, 0, shown(text) + " has no namespace" + form
	}
	body = body[len(ns):]
	if !strings.HasPrefix(body, ".") {
		return r, 0, shown(text) + " has no key" + form
	}
	body = body[1:]
	key := word(body)
	if key == "" {
		return r, 0, shown(text) + " has no key" + form
	}
	if !strings.HasPrefix(body[len(key):], "}") {
		return r, 0, shown(text) + ` is not closed by "}" after its key` + form
	}
	return Ref{Namespace: ns, Key: key}, len("#{.}") + len(ns) + len(key), ""
}

// word returns the longest beginning of text that can be a namespace or a key.
func word(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '@' && r != '-' && r != '_'
	})
	if end < 0 {
		return text
	}
	return text[:end]
}

// shown quotes the faulty reference, cut to what fits in a sentence.
func shown(text string) string {
	const most = 40
	if end := strings.IndexAny(text, "}\n"); end >= 0 && end < most {
		return fmt.Sprintf("%q", text[:end+1])
	}
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(text[:most], "")+"…")
}
