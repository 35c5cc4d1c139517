package protocol

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// element is an element of XML.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func parseXML(body []byte) (*element, error) {
	root := &element{}
	return root, xml.Unmarshal(body, root)
}

// fromXML reads a structure. An element that the model does not know stays, for the check to say so.
func (c *Call) fromXML(e *element, s *shapes.Shape) map[string]any {
	out, names := map[string]any{}, map[string]string{}
	for member := range s.Members {
		names[c.xmlName(s, member)] = member
	}
	for i := range e.Children {
		child := &e.Children[i]
		member, ok := names[child.XMLName.Local]
		if !ok {
			out[child.XMLName.Local] = child.Text
			continue
		}
		inner := c.model.Shapes[s.Members[member]]
		if inner.Type == "list" && (inner.Flat || s.Wire[member].Flat) {
			list, _ := out[member].([]any)
			out[member] = append(list, c.valueFromXML(child, c.model.Shapes[inner.Of]))
			continue
		}
		out[member] = c.valueFromXML(child, inner)
	}
	return out
}

func (c *Call) valueFromXML(e *element, s *shapes.Shape) any {
	switch s.Type {
	case "structure":
		return c.fromXML(e, s)
	case "list":
		list := []any{}
		for i := range e.Children {
			list = append(list, c.valueFromXML(&e.Children[i], c.model.Shapes[s.Of]))
		}
		return list
	}
	return scalar(strings.TrimSpace(e.Text), s.Type)
}

// xmlName is the name of a member's element.
func (c *Call) xmlName(s *shapes.Shape, member string) string {
	inner := c.model.Shapes[s.Members[member]]
	if inner.Type == "list" && (inner.Flat || s.Wire[member].Flat) && inner.Element != "" {
		return inner.Element
	}
	return s.WireName(member)
}

// xmlWriter writes values that [tree] has made.
type xmlWriter struct {
	strings.Builder
	call *Call
}

func (w *xmlWriter) open(name, namespace string) {
	w.WriteString("<" + name)
	if namespace != "" {
		w.WriteString(` xmlns="` + namespace + `"`)
	}
	w.WriteString(">")
}

func (w *xmlWriter) close(name string) { w.WriteString("</" + name + ">") }

func (w *xmlWriter) text(name, text string) {
	w.open(name, "")
	_ = xml.EscapeText(w, []byte(text)) // a Builder takes everything
	w.close(name)
}

// members writes what of a structure goes into the body.
func (w *xmlWriter) members(s *shapes.Shape, v map[string]any) {
	for _, member := range slices.Sorted(maps.Keys(v)) {
		if at := s.Wire[member]; at.In == "" {
			w.value(w.call.xmlName(s, member), w.call.model.Shapes[s.Members[member]], at, v[member])
		}
	}
}

func (w *xmlWriter) value(name string, s *shapes.Shape, at shapes.Place, v any) {
	inner := w.call.model.Shapes[s.Of]
	switch v := v.(type) {
	case []any:
		if s.Flat || at.Flat {
			for _, one := range v {
				w.value(name, inner, shapes.Place{}, one)
			}
			return
		}
		w.open(name, "")
		for _, one := range v {
			w.value(s.ElementName(), inner, shapes.Place{}, one)
		}
		w.close(name)
	case map[string]any:
		w.open(name, "")
		if s.Type == "structure" {
			w.members(s, v)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if s.Type == "map" {
				keyName, valueName := s.EntryNames()
				w.open("entry", "")
				w.text(keyName, key)
				w.value(valueName, inner, shapes.Place{}, v[key])
				w.close("entry")
			}
		}
		w.close(name)
	default:
		w.text(name, plainText(v, timeFormat(s, at, "iso8601")))
	}
}

// timeFormat is how a time is written.
func timeFormat(s *shapes.Shape, at shapes.Place, otherwise string) string {
	for _, f := range []string{at.Format, s.Format} {
		if f != "" {
			return f
		}
	}
	return otherwise
}

// plainText is a single value as text.
func plainText(v any, times string) string {
	switch v := v.(type) {
	case time.Time:
		switch times {
		case "rfc822":
			return v.UTC().Format(http.TimeFormat)
		case "unixTimestamp":
			return strconv.FormatInt(v.Unix(), 10)
		}
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
