package protocol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// tree makes of an answer what the writers take: map[string]any, []any, string, bool, int64, float64, time.Time and
// []byte, as the model has them. What is nil, and a time that is zero, is left out. An answer that does not fit the model is
// a mistake in the fake: it panics with the place.
func (c *Call) tree(at string, s *shapes.Shape, v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if t, ok := v.Interface().(time.Time); ok && s.Type == "timestamp" {
		if t.IsZero() {
			return nil
		}
		return t
	}
	switch v.Kind() {
	case reflect.Map:
		return c.branch(at, s, v)
	case reflect.Struct:
		return c.tree(at, s, reflect.ValueOf(throughJSON(v.Interface())))
	case reflect.Slice, reflect.Array:
		if raw, ok := v.Interface().([]byte); ok && s.Type == "blob" {
			return raw
		}
		if v.Kind() == reflect.Slice && v.IsNil() {
			return nil
		}
		if s.Type != "list" {
			break
		}
		list := []any{}
		for i := range v.Len() {
			list = append(list, c.tree(fmt.Sprintf("%s[%d]", at, i), c.model.Shapes[s.Of], v.Index(i)))
		}
		return list
	default:
		return c.leaf(at, s, v)
	}
	panic(c.misfit(at, s, v))
}

func (c *Call) misfit(at string, s *shapes.Shape, v reflect.Value) string {
	return fmt.Sprintf("the fake's answer to %s:%s has at %s the %s %v; AWS's model wants a %s", c.Service, c.Operation, at, v.Kind(), v.Interface(), s.Type)
}

func throughJSON(v any) (out any) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		panic(err) // answers are made of plain values
	}
	return out
}

func (c *Call) branch(at string, s *shapes.Shape, v reflect.Value) any {
	if v.IsNil() {
		return nil
	}
	if s.Type != "structure" && s.Type != "map" {
		panic(c.misfit(at, s, v))
	}
	out := map[string]any{}
	for it := v.MapRange(); it.Next(); {
		name, of := it.Key().String(), s.Of
		if s.Type == "structure" {
			known := false
			if of, known = s.Members[name]; !known {
				panic(fmt.Sprintf("the fake's answer to %s:%s has %s.%s; AWS's model has no such member", c.Service, c.Operation, at, name))
			}
		}
		if inner := c.tree(at+"."+name, c.model.Shapes[of], it.Value()); inner != nil {
			out[name] = inner
		}
	}
	return out
}

func (c *Call) leaf(at string, s *shapes.Shape, v reflect.Value) any {
	switch k := v.Kind(); {
	case k == reflect.String && s.Type == "string":
		return v.String()
	case k == reflect.String && s.Type == "timestamp":
		if t, err := time.Parse(time.RFC3339Nano, v.String()); err == nil {
			return t
		}
	case k == reflect.String && s.Type == "blob":
		if raw, err := base64.StdEncoding.DecodeString(v.String()); err == nil {
			return raw
		}
	case k == reflect.Bool && s.Type == "boolean":
		return v.Bool()
	case v.CanInt() && strings.Contains("integer long", s.Type):
		return v.Int()
	case v.CanUint() && strings.Contains("integer long", s.Type):
		return int64(v.Uint()) //nolint:gosec // the fake's numbers are small
	case v.CanInt() && strings.Contains("double float", s.Type):
		return float64(v.Int())
	case v.CanInt() && s.Type == "timestamp":
		return time.Unix(v.Int(), 0)
	case v.CanFloat() && strings.Contains("integer long", s.Type):
		return int64(v.Float())
	case v.CanFloat() && strings.Contains("double float", s.Type):
		return v.Float()
	case v.CanFloat() && s.Type == "timestamp":
		return time.UnixMilli(int64(v.Float() * 1000))
	}
	panic(c.misfit(at, s, v))
}
