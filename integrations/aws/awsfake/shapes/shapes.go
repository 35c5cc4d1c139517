// Package shapes is AWS's own service models, as far as the fake of AWS has them: how a request and an answer look on the
// wire, and what a request must satisfy: required members, lengths, patterns, value ranges and enumerations.
//
// data holds an extract of these models, a file for each service. Like AWS [Check] reports all faults of a request at once;
// unlike AWS, which ignores a member it does not know, it reports that too.
package shapes

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// models is data, packed: uncompressed it would be a hundredth of the binary. The
// test says how it is made.
//
//go:embed models.gz
var models []byte

// Shape is one shape of a model.
type Shape struct {
	Type      string                `json:"type"`
	Min       *float64              `json:"min"`
	Max       *float64              `json:"max"`
	Pattern   string                `json:"pattern"`
	Enum      []string              `json:"enum"`
	Required  []string              `json:"required"`
	Members   map[string]string     `json:"members"`   // of a structure: the names of their shapes
	Wire      map[string]Place      `json:"wire"`      // of a structure: members that are not in the body under their own name
	Payload   string                `json:"payload"`   // of a structure: the member that is the whole body
	Key       string                `json:"key"`       // of a map
	Of        string                `json:"of"`        // of a list or a map
	KeyName   string                `json:"keyName"`   // of a map in XML, if not "key"
	ValueName string                `json:"valueName"` // the same, if not "value"
	Element   string                `json:"element"`   // of a list in XML, if not "member"
	Flat      bool                  `json:"flat"`      // of a list in XML: without an element around it
	Format    string                `json:"timestampFormat"`
	pattern   func() *regexp.Regexp // nil: there is none; it returns nil for one that Go cannot use
}

// Place is where a member goes over the wire.
type Place struct {
	In     string `json:"in"` // uri, querystring, header, headers or statusCode; empty: the body
	Name   string `json:"name"`
	Flat   bool   `json:"flat"`
	Format string `json:"format"` // of a time
}

// Operation is what a model says of an operation.
type Operation struct {
	Input   string   `json:"input"`  // name of a shape; empty: none
	Output  string   `json:"output"` // the same
	Errors  []string `json:"errors"`
	Wrapper string   `json:"wrapper"` // of an answer in the query protocol
	Method  string   `json:"method"`  // of HTTP, in a REST protocol
	URI     string   `json:"uri"`     // the same
	Status  int      `json:"status"`  // of success; 0: 200
}

// About is how a service is called.
type About struct {
	Protocol        string `json:"protocol"` // json, query, rest-json, rest-xml, smithy-rpc-v2-cbor
	JSON            string `json:"json"`     // its version
	Target          string `json:"target"`   // in X-Amz-Target, before the operation
	Namespace       string `json:"namespace"`
	Signs           string `json:"signs"` // the service's name in signatures
	QueryCompatible bool   `json:"queryCompatible"`
}

// Wired is an error on the wire, where that is not its name and status 400.
type Wired struct {
	Code   string `json:"code"`
	Status int    `json:"httpStatusCode"`
}

// Model is the part of a service that the fake has.
type Model struct {
	About      About                `json:"about"`
	Errors     map[string]Wired     `json:"errors"`
	Operations map[string]Operation `json:"operations"`
	Shapes     map[string]*Shape    `json:"shapes"`
}

// extract is the model of a service, read when it is first used. How it is called is read at once.
type extract struct {
	about About
	model func() *Model
}

var all = sync.OnceValue(func() map[string]extract {
	packed, err := gzip.NewReader(bytes.NewReader(models))
	if err != nil {
		panic(err) // it is embedded
	}
	files := map[string]json.RawMessage{}
	if err := json.NewDecoder(packed).Decode(&files); err != nil {
		panic("models.gz: " + err.Error())
	}
	found := map[string]extract{}
	for name, raw := range files {
		var begin struct{ About About }
		if err := json.Unmarshal(raw, &begin); err != nil {
			panic(name + ": " + err.Error())
		}
		found[name] = extract{begin.About, sync.OnceValue(func() *Model { return read(name, raw) })}
	}
	return found
})

func read(name string, raw []byte) *Model {
	m := &Model{}
	if err := json.Unmarshal(raw, m); err != nil {
		panic(name + ": " + err.Error())
	}
	for _, s := range m.Shapes {
		if s.Pattern != "" {
			s.pattern = sync.OnceValue(func() *regexp.Regexp { return compile(s.Pattern) })
		}
	}
	return m
}

// compile makes a pattern of AWS's models, which are Java's, one of Go; nil if it is beyond Go, as one that looks ahead is.
func compile(pattern string) *regexp.Regexp {
	text := strings.ReplaceAll(pattern, `\u10000-\u10FFFF`, `\x{10000}-\x{10FFFF}`)
	text = strings.ReplaceAll(text, `\uD7FF\uE000`, `\x{D7FF}\x{E000}`)
	text = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`).ReplaceAllString(text, `\x{$1}`)
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil
	}
	return re
}

// Of is the model of a service, by its name in IAM; nil: the fake has none.
func Of(service string) *Model {
	e, ok := all()[service]
	if !ok {
		return nil
	}
	return e.model()
}

// Find is the service that is called so; empty: there is none.
func Find(is func(About) bool) string {
	for name, e := range all() {
		if is(e.about) {
			return name
		}
	}
	return ""
}

// Services are the services of the extract.
func Services() []string { return slices.Sorted(maps.Keys(all())) }

// Operations are the operations of a service.
func Operations(service string) []string {
	if m := Of(service); m != nil {
		return slices.Sorted(maps.Keys(m.Operations))
	}
	return nil
}

// Declared says whether the model lists this error for the operation.
func Declared(service, op, code string) bool {
	m := Of(service)
	return m != nil && slices.Contains(m.Operations[op].Errors, code)
}

// WireName is the name of a structure's member on the wire.
func (s *Shape) WireName(member string) string {
	if name := s.Wire[member].Name; name != "" {
		return name
	}
	return member
}

// EntryNames are the names of a map's keys and values on the wire.
func (s *Shape) EntryNames() (key, value string) {
	key, value = "key", "value"
	if s.KeyName != "" {
		key = s.KeyName
	}
	if s.ValueName != "" {
		value = s.ValueName
	}
	return key, value
}

// ElementName is the name of a list's elements on the wire.
func (s *Shape) ElementName() string {
	if s.Element != "" {
		return s.Element
	}
	return "member"
}
