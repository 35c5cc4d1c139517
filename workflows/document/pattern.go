package document

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Pattern says which documents are meant, in the language of EventBridge: an object
// whose keys must all be in the document; behind each another such object, or a list
// of which one entry must fit. An entry is a text, a number as it is written, true,
// false or null, or one of {prefix: …}, {suffix: …}, {equals-ignore-case: …},
// {anything-but: …}, {exists: true}, {numeric: [">", 0, "<=", 5]}. Behind $or is a list
// of objects of which one must fit. Where the document has a list, one element is enough.
type Pattern struct{ object fieldsOf }

// fieldsOf are what the keys of an object must fit.
type fieldsOf struct {
	fields map[string]field
	either []fieldsOf // of which one must fit; none: any
}

// field is what the value behind a key must fit: an object, or one of some tests.
type field struct {
	object *fieldsOf
	tests  []test
}

// test judges one value; there says whether there is any.
type test func(value any, there bool) bool

// PatternError says where in a pattern is what cannot be understood.
type PatternError struct {
	At            []any // keys and indexes
	Message, Hint string
}

// Error is the message.
func (e *PatternError) Error() string { return e.Message }

// mostDeep is how far objects of a pattern may be nested.
const mostDeep = 16

// ParsePattern reads a pattern, as [Read] returns it. The error is a *PatternError.
func ParsePattern(pattern any) (*Pattern, error) {
	o, err := objectOf(pattern, nil)
	if err != nil {
		return nil, err
	}
	return &Pattern{o}, nil
}

func faulty(at []any, hint, format string, args ...any) error {
	return &PatternError{At: slices.Clone(at), Message: fmt.Sprintf(format, args...), Hint: hint}
}

func objectOf(value any, at []any) (o fieldsOf, err error) {
	object, ok := value.(map[string]any)
	switch {
	case !ok:
		return o, faulty(at, `such as {source: [aws.ecr]}`, "the pattern must hold keys and values")
	case len(object) == 0:
		return o, faulty(at, "name what the event must have", "the pattern is empty: everything would fit")
	case len(at) > mostDeep:
		return o, faulty(at, "make it flatter", "the pattern has more than %d levels", mostDeep)
	}
	o.fields = map[string]field{}
	for _, key := range words.Keys(object) {
		here := append(slices.Clip(at), key)
		if key == "$or" {
			if o.either, err = eitherOf(object[key], here); err != nil {
				return o, err
			}
			continue
		}
		if o.fields[key], err = fieldOf(object[key], here); err != nil {
			return o, err
		}
	}
	return o, nil
}

func eitherOf(value any, at []any) (all []fieldsOf, err error) {
	list, ok := value.([]any)
	if !ok || len(list) < 2 {
		return nil, faulty(at, "$or: [{…}, {…}]", "$or must be a list of two or more patterns")
	}
	for i, one := range list {
		o, err := objectOf(one, append(slices.Clip(at), i))
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func fieldOf(value any, at []any) (f field, err error) {
	list, ok := value.([]any)
	if !ok {
		if _, nested := value.(map[string]any); !nested {
			return f, faulty(at, "put it into a list: [value]", "a pattern has a list of values")
		}
		o, err := objectOf(value, at)
		return field{object: &o}, err
	}
	if len(list) == 0 {
		return f, faulty(at, "name a value", "the list is empty: nothing would fit")
	}
	for i, one := range list {
		t, err := testOf(one, append(slices.Clip(at), i))
		if err != nil {
			return f, err
		}
		f.tests = append(f.tests, t)
	}
	return f, nil
}

func testOf(value any, at []any) (test, error) {
	switch value := value.(type) {
	case nil, bool, string, json.Number:
		return func(v any, there bool) bool { return there && equal(v, value) }, nil
	case map[string]any:
		if len(value) != 1 {
			return nil, faulty(at, "one matcher in each pair of braces", "an entry has %d matchers", len(value))
		}
		name := words.Keys(value)[0]
		return matcherOf(name, value[name], append(slices.Clip(at), name))
	}
	return nil, faulty(at, "a text, number, true, false, null, or {prefix: …}", "a list stands in a list")
}

// equal compares as EventBridge does: numbers as they are written.
func equal(a, b any) bool {
	switch a.(type) {
	case nil, bool, string, json.Number:
		return a == b
	}
	return false
}

func matcherOf(name string, value any, at []any) (test, error) {
	switch name {
	case "prefix", "suffix", "equals-ignore-case":
		return ofText(name, value, at)
	case "anything-but":
		return anythingBut(value, at)
	case "exists":
		want, ok := value.(bool)
		if !ok {
			return nil, faulty(at, "exists: true, or false", "exists is true or false")
		}
		return func(_ any, there bool) bool { return there == want }, nil
	case "numeric":
		return numeric(value, at)
	}
	return nil, faulty(at, "one of prefix, suffix, equals-ignore-case, anything-but, exists, numeric", "there is no matcher %s here", words.Quoted(name))
}

func ofText(name string, value any, at []any) (test, error) {
	want, ok := value.(string)
	if !ok || want == "" {
		return nil, faulty(at, name+": text", "%s takes a text", name)
	}
	fits := map[string]func(s, want string) bool{"prefix": strings.HasPrefix, "suffix": strings.HasSuffix, "equals-ignore-case": strings.EqualFold}[name]
	return func(v any, there bool) bool {
		text, is := v.(string)
		return there && is && fits(text, want)
	}, nil
}

// anythingBut fits what is there and not one of some values, or not a text that a
// matcher in its place fits.
func anythingBut(value any, at []any) (test, error) {
	var not []test
	switch value := value.(type) {
	case []any:
		for i, one := range value {
			if _, nested := one.(map[string]any); nested {
				return nil, faulty(append(slices.Clip(at), i), "anything-but: [a, b]", "a list behind anything-but has texts and numbers")
			}
			t, err := testOf(one, append(slices.Clip(at), i))
			if err != nil {
				return nil, err
			}
			not = append(not, t)
		}
	default:
		if nested, is := value.(map[string]any); is && (nested["exists"] != nil || nested["anything-but"] != nil || nested["numeric"] != nil) {
			return nil, faulty(at, "anything-but: {prefix: …}", "only prefix, suffix and equals-ignore-case stand behind anything-but")
		}
		t, err := testOf(value, at)
		if err != nil {
			return nil, err
		}
		not = []test{t}
	}
	if len(not) == 0 {
		return nil, faulty(at, "anything-but: [a, b]", "anything-but has no value")
	}
	return func(v any, there bool) bool {
		return there && !slices.ContainsFunc(not, func(t test) bool { return t(v, true) })
	}, nil
}

// numeric reads pairs of a comparison and a number, which must all hold.
func numeric(value any, at []any) (test, error) {
	list, _ := value.([]any)
	if len(list) == 0 || len(list)%2 != 0 || len(list) > 4 {
		return nil, faulty(at, `numeric: [">", 0, "<=", 5]`, "numeric takes one or two comparisons, each with a number")
	}
	var all []func(float64) bool
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		number, isNumber := list[i+1].(json.Number)
		limit, err := strconv.ParseFloat(number.String(), 64)
		compare := map[string]func(v float64) bool{
			"=": func(v float64) bool { return v == limit }, "<": func(v float64) bool { return v < limit }, "<=": func(v float64) bool { return v <= limit },
			">": func(v float64) bool { return v > limit }, ">=": func(v float64) bool { return v >= limit },
		}[op]
		if compare == nil {
			return nil, faulty(append(slices.Clip(at), i), "one of = < <= > >=", "%s is no comparison", words.Quoted(op))
		}
		if !isNumber || err != nil {
			return nil, faulty(append(slices.Clip(at), i+1), "a number without quotes", "what stands behind %s is no number", op)
		}
		all = append(all, compare)
	}
	return func(v any, there bool) bool {
		number, is := v.(json.Number)
		n, err := strconv.ParseFloat(number.String(), 64)
		return there && is && err == nil && !math.IsInf(n, 0) && !slices.ContainsFunc(all, func(holds func(float64) bool) bool { return !holds(n) })
	}, nil
}

// Fits says whether a document, as [Read] returns it, is meant.
func (p *Pattern) Fits(doc any) bool { return p.object.fits(doc) }

func (o *fieldsOf) fits(doc any) bool {
	if list, is := doc.([]any); is {
		return slices.ContainsFunc(list, o.fits)
	}
	object, is := doc.(map[string]any)
	if !is && doc != nil {
		return false
	}
	for key, f := range o.fields {
		value, there := object[key]
		if !f.fits(value, there) {
			return false
		}
	}
	return len(o.either) == 0 || slices.ContainsFunc(o.either, func(one fieldsOf) bool { return one.fits(doc) })
}

func (f *field) fits(value any, there bool) bool {
	if f.object != nil {
		return f.object.fits(value) // {exists: false} in it fits also where the object is not there
	}
	if _, nested := value.(map[string]any); nested {
		return false // a matcher is about a value, not about an object
	}
	if list, is := value.([]any); is && len(list) > 0 {
		return slices.ContainsFunc(f.tests, func(t test) bool { return slices.ContainsFunc(list, func(v any) bool { return t(v, true) }) })
	}
	return slices.ContainsFunc(f.tests, func(t test) bool { return t(value, there) })
}
