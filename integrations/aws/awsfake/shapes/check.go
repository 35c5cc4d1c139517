package shapes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Check returns what is wrong with the input of an operation, in AWS's words, nil if nothing is.
func Check(service, op string, input map[string]any) []string {
	m := Of(service)
	c := checker{m: m}
	if in := m.Operations[op].Input; in != "" {
		c.structure("", m.Shapes[in], input)
	} else if len(input) > 0 {
		c.fault("Unknown member '%s'", slices.Sorted(maps.Keys(input))[0])
	}
	return c.faults
}

// Message is the message of the ValidationException that AWS makes of faults.
func Message(faults []string) string {
	if len(faults) == 1 {
		return "1 validation error detected: " + faults[0]
	}
	return fmt.Sprintf("%d validation errors detected: %s", len(faults), strings.Join(faults, "; "))
}

type checker struct {
	m      *Model
	faults []string
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *checker) bad(v any, at, format string, args ...any) {
	text, _ := json.Marshal(v) // decoded JSON always encodes
	shown := strings.Trim(string(text), `"`)
	c.fault("Value '%s' at '%s' failed to satisfy constraint: %s", shown, at, fmt.Sprintf(format, args...))
}

func (c *checker) structure(at string, s *Shape, in map[string]any) {
	for _, name := range s.Required {
		if in[name] == nil {
			c.fault("Value null at '%s' failed to satisfy constraint: Member must not be null", join(at, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		member, ok := s.Members[name]
		if !ok {
			c.fault("Unknown member '%s'", join(at, name))
		} else if in[name] != nil {
			c.value(join(at, name), c.m.Shapes[member], in[name])
		}
	}
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func (c *checker) value(at string, s *Shape, v any) {
	switch s.Type {
	case "structure":
		if in, ok := v.(map[string]any); ok {
			c.structure(at, s, in)
			return
		}
	case "list":
		if in, ok := v.([]any); ok {
			c.size(at, s, v, float64(len(in)))
			for i, e := range in {
				c.value(at+"."+strconv.Itoa(i+1)+".member", c.m.Shapes[s.Of], e)
			}
			return
		}
	case "map":
		if in, ok := v.(map[string]any); ok {
			c.size(at, s, v, float64(len(in)))
			for _, k := range slices.Sorted(maps.Keys(in)) {
				c.value(at, c.m.Shapes[s.Key], k)
				c.value(join(at, k), c.m.Shapes[s.Of], in[k])
			}
			return
		}
	default:
		c.scalar(at, s, v)
		return
	}
	c.bad(v, at, "Member must be a %s", s.Type)
}

func (c *checker) scalar(at string, s *Shape, v any) {
	switch v := v.(type) {
	case string:
		switch s.Type {
		case "string":
			c.text(at, s, v)
			return
		case "blob":
			return
		}
	case float64:
		if (s.Type == "integer" || s.Type == "long") && v == float64(int64(v)) {
			c.number(at, s, v)
			return
		}
		if s.Type == "timestamp" || s.Type == "double" || s.Type == "float" {
			return
		}
	case bool:
		if s.Type == "boolean" {
			return
		}
	}
	c.bad(v, at, "Member must be of type %s", s.Type)
}

func (c *checker) text(at string, s *Shape, v string) {
	c.size(at, s, v, float64(len(utf16.Encode([]rune(v)))))
	if s.mismatch(v) {
		c.bad(v, at, "Member must satisfy regular expression pattern: %s", s.Pattern)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		c.bad(v, at, "Member must satisfy enum value set: [%s]", strings.Join(s.Enum, ", "))
	}
}

// mismatch says whether the shape has a pattern that can be checked, and the text does not have it.
func (s *Shape) mismatch(v string) bool {
	if s.pattern == nil {
		return false
	}
	re := s.pattern()
	return re != nil && !re.MatchString(v)
}

// size checks a length; the models count UTF-16 units of text.
func (c *checker) size(at string, s *Shape, v any, n float64) {
	if s.Min != nil && n < *s.Min {
		c.bad(v, at, "Member must have length greater than or equal to %v", *s.Min)
	}
	if s.Max != nil && n > *s.Max {
		c.bad(v, at, "Member must have length less than or equal to %v", *s.Max)
	}
}

func (c *checker) number(at string, s *Shape, v float64) {
	if s.Min != nil && v < *s.Min {
		c.bad(v, at, "Member must have value greater than or equal to %v", *s.Min)
	}
	if s.Max != nil && v > *s.Max {
		c.bad(v, at, "Member must have value less than or equal to %v", *s.Max)
	}
}
