package protocol

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

func (c *Call) readJSON(body []byte) *api.Error {
	c.Input = map[string]any{}
	if len(body) > 0 && json.Unmarshal(body, &c.Input) != nil {
		return malformed("The request is not a JSON object")
	}
	return nil
}

func (c *Call) readCBOR(body []byte) *api.Error {
	c.Input = map[string]any{}
	if len(body) == 0 {
		return nil
	}
	v, err := cbor.Decode(body)
	m, ok := v.(cbor.Map)
	if err != nil || !ok {
		return malformed("The request is not a CBOR map")
	}
	c.Input, _ = fromCBOR(m).(map[string]any) // a map stays one
	return nil
}

// fromCBOR makes the value that JSON would have made.
func fromCBOR(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, inner := range v {
			out[k] = fromCBOR(inner)
		}
		return out
	case cbor.List:
		out := []any{}
		for _, inner := range v {
			out = append(out, fromCBOR(inner))
		}
		return out
	case cbor.String:
		return string(v)
	case cbor.Slice:
		return base64.StdEncoding.EncodeToString(v)
	case cbor.Bool:
		return bool(v)
	case *cbor.Tag:
		return fromCBOR(v.Value) // 1: seconds since 1970
	}
	if f, err := cbor.AsFloat64(v); err == nil {
		return f
	}
	if n, err := cbor.AsInt64(v); err == nil {
		return float64(n)
	}
	return nil
}

func (c *Call) readQuery(body []byte) *api.Error {
	values, err := url.ParseQuery(string(body))
	if err != nil || values.Get("Action") == "" {
		return unknownOperation()
	}
	c.Operation = values.Get("Action")
	f := &formReader{c.model, values, map[string]bool{"Action": true, "Version": true}}
	c.Input = map[string]any{}
	if in := c.input(); in != nil {
		c.Input = f.structure("", in)
	}
	for name := range values {
		if !f.used[name] && c.Known() {
			c.Input[name] = values.Get(name) // the check of the model says that it is unknown
		}
	}
	return nil
}

// formReader makes an object of the parameters of the query protocol.
type formReader struct {
	model *shapes.Model
	form  url.Values
	used  map[string]bool
}

// has says whether there is a parameter of this name or below it.
func (f *formReader) has(name string) bool {
	for k := range f.form {
		if k == name || strings.HasPrefix(k, name+".") {
			return true
		}
	}
	return false
}

func (f *formReader) structure(prefix string, s *shapes.Shape) map[string]any {
	out := map[string]any{}
	for member, of := range s.Members {
		name := s.WireName(member)
		if prefix != "" {
			name = prefix + "." + name
		}
		if f.has(name) {
			out[member] = f.value(name, f.model.Shapes[of], s.Wire[member])
		}
	}
	return out
}

func (f *formReader) value(name string, s *shapes.Shape, at shapes.Place) any {
	switch s.Type {
	case "structure":
		return f.structure(name, s)
	case "list":
		out := []any{}
		if f.form.Has(name) { // an empty list
			f.used[name] = true
		}
		if !at.Flat && !s.Flat {
			name += "." + s.ElementName()
		}
		for n := 1; f.has(name + "." + strconv.Itoa(n)); n++ {
			out = append(out, f.value(name+"."+strconv.Itoa(n), f.model.Shapes[s.Of], shapes.Place{}))
		}
		return out
	case "map":
		out := map[string]any{}
		if !at.Flat && !s.Flat {
			name += ".entry"
		}
		for n := 1; f.has(name + "." + strconv.Itoa(n)); n++ {
			key, value := s.EntryNames()
			entry := name + "." + strconv.Itoa(n) + "."
			f.used[entry+key] = true
			out[f.form.Get(entry+key)] = f.value(entry+value, f.model.Shapes[s.Of], shapes.Place{})
		}
		return out
	}
	f.used[name] = true
	return scalar(f.form.Get(name), s.Type)
}

// scalar reads a text as the type that the model wants; what is none of it stays a text, and the check says so.
func scalar(text, kind string) any {
	switch kind {
	case "integer", "long", "double", "float":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case "timestamp":
		for _, layout := range []string{time.RFC3339Nano, http.TimeFormat} {
			if t, err := time.Parse(layout, text); err == nil {
				return float64(t.UnixMilli()) / 1000
			}
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	}
	return text
}
