package cloudformation

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// most bounds how many values are resolved: references multiply.
const most = 400_000

// resolve replaces every intrinsic function of a value.
func (t *Template) resolve(v *Value, depth int) *Value {
	if t.steps++; t.steps > most || depth > maxDepth {
		return placeholder(v, "too-much", "the template refers to more than can be followed")
	}
	switch v.Kind {
	case Call:
		return t.call(v, depth)
	case List:
		out := &Value{Line: v.Line, Col: v.Col, Kind: List}
		for _, item := range v.Items {
			if item = t.resolve(item, depth+1); !item.Absent() {
				out.Items = append(out.Items, item)
			}
		}
		return out
	case Map:
		out := &Value{Line: v.Line, Col: v.Col, Kind: Map}
		for _, e := range v.Entries {
			if e.Value = t.resolve(e.Value, depth+1); !e.Value.Absent() {
				out.Entries = append(out.Entries, e)
			}
		}
		return out
	case Scalar:
		return dynamic(v)
	}
	return v
}

// dynamic replaces {{resolve:SERVICE:…}}, which is looked up at a deployment.
func dynamic(v *Value) *Value {
	const opens = "{{resolve:"
	if !strings.Contains(v.Text, opens) {
		return v
	}
	out := &Value{Line: v.Line, Col: v.Col, Missing: v.Missing}
	rest := v.Text
	for {
		before, after, found := strings.Cut(rest, opens)
		inner, behind, closed := strings.Cut(after, "}}")
		if !found || !closed {
			out.Text += rest
			return out
		}
		_, name, _ := strings.Cut(inner, ":")
		out.Text += before + marker + cleaned(name)
		out.Missing = append(out.Missing, opens+inner+"}} is looked up when the template is deployed")
		rest = behind
	}
}

// placeholder stands for what is not known, and says what that is.
func placeholder(at *Value, name, why string) *Value {
	return &Value{Line: at.Line, Col: at.Col, Text: marker + cleaned(name), Missing: []string{why}}
}

// cleaned is a name with the characters that every name may have.
func cleaned(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name, "-")
	if len(name) > 60 {
		name = name[:60]
	}
	if name == "" {
		return "value"
	}
	return name
}

// call carries an intrinsic function out.
func (t *Template) call(v *Value, depth int) *Value {
	arg := v.Items[0]
	switch v.Text {
	case "Ref":
		return t.ref(v, arg.String(), depth)
	case "Fn::GetAtt":
		return t.getAtt(v, arg, depth)
	case "Fn::Sub":
		return t.sub(v, arg, depth)
	case "Fn::If":
		return t.choose(v, arg, depth)
	case "Fn::FindInMap":
		return t.find(v, arg, depth)
	case "Fn::Join", "Fn::Split", "Fn::Select":
		if arg = t.arguments(arg, depth); arg.Kind == List && len(arg.Items) == 2 {
			return ofTwo(v, arg.Items[0], arg.Items[1])
		}
	case "Fn::Base64", "Fn::ToJsonString", "Fn::Length":
		return ofOne(v, t.resolve(arg, depth+1))
	case "Fn::ImportValue":
		name := t.resolve(arg, depth+1)
		return placeholder(v, name.Text, "the export "+words.Quoted(name.Text)+" of another stack")
	}
	return placeholder(v, strings.TrimPrefix(v.Text, "Fn::"), v.Text+" is carried out when the template is deployed")
}

// arguments are a function's arguments, resolved; what is absent among them
// stays, for their places count.
func (t *Template) arguments(arg *Value, depth int) *Value {
	if arg.Kind != List {
		return t.resolve(arg, depth+1)
	}
	out := &Value{Line: arg.Line, Col: arg.Col, Kind: List}
	for _, item := range arg.Items {
		out.Items = append(out.Items, t.resolve(item, depth+1))
	}
	return out
}

// ofTwo carries out the functions of a text or number, and a list or text.
func ofTwo(call, first, second *Value) *Value {
	missing := append(slices.Clone(first.Missing), second.Missing...)
	switch {
	case call.Text == "Fn::Join" && second.Kind == List:
		texts := make([]string, len(second.Items))
		for i, item := range second.Items {
			texts[i] = item.String()
			missing = append(missing, item.Missing...)
		}
		return &Value{Line: call.Line, Col: call.Col, Text: strings.Join(texts, first.Text), Missing: missing}
	case call.Text == "Fn::Split" && second.Kind == Scalar && len(second.Missing) == 0 && first.Text != "":
		out := &Value{Line: call.Line, Col: call.Col, Kind: List}
		for part := range strings.SplitSeq(second.Text, first.Text) {
			out.Items = append(out.Items, scalar(call, part))
		}
		return out
	case call.Text == "Fn::Select" && second.Kind == List:
		if i, err := strconv.Atoi(first.Text); err == nil && i >= 0 && i < len(second.Items) {
			return second.Items[i]
		}
	}
	if len(missing) > 0 {
		return placeholder(call, strings.TrimPrefix(second.Text, marker), missing[0])
	}
	return placeholder(call, strings.TrimPrefix(call.Text, "Fn::"), call.Text+" cannot be carried out on this")
}

// ofOne carries out the functions of one value.
func ofOne(call, arg *Value) *Value {
	out := &Value{Line: call.Line, Col: call.Col, Missing: arg.Missing}
	switch {
	case call.Text == "Fn::Base64" && arg.Kind == Scalar && len(arg.Missing) == 0:
		out.Text = base64.StdEncoding.EncodeToString([]byte(arg.Text))
	case call.Text == "Fn::ToJsonString":
		out.Text = arg.JSON()
	case call.Text == "Fn::Length" && arg.Kind == List:
		out.Text, out.Plain = strconv.Itoa(len(arg.Items)), true
	default:
		return placeholder(call, strings.TrimPrefix(call.Text, "Fn::"), call.Text+" is carried out when the template is deployed")
	}
	return out
}

// JSON is a resolved value as JSON text: what CloudFormation makes of a
// structure where AWS wants text.
func (v *Value) JSON() string {
	var out strings.Builder
	v.json(&out)
	return out.String()
}

func (v *Value) json(out *strings.Builder) {
	quote := func(text string) {
		b, err := json.Marshal(text)
		if err != nil {
			panic("cloudformation: a string always marshals: " + err.Error())
		}
		out.Write(b)
	}
	separate := func(i int) {
		if i > 0 {
			out.WriteByte(',')
		}
	}
	switch v.Kind {
	case List:
		out.WriteByte('[')
		for i, item := range v.Items {
			separate(i)
			item.json(out)
		}
		out.WriteByte(']')
	case Map:
		out.WriteByte('{')
		for i, e := range v.Entries {
			separate(i)
			quote(e.Key)
			out.WriteByte(':')
			e.Value.json(out)
		}
		out.WriteByte('}')
	case Null:
		out.WriteString("null")
	default:
		if v.Plain && json.Valid([]byte(v.Text)) {
			out.WriteString(v.Text)
			return
		}
		quote(v.Text)
	}
}

// sub fills in the ${…} of a text.
func (t *Template) sub(call, arg *Value, depth int) *Value {
	text, values := arg, (*Value)(nil)
	if arg.Kind == List && len(arg.Items) == 2 {
		text, values = arg.Items[0], arg.Items[1]
	}
	if text.Kind != Scalar {
		return placeholder(call, "Sub", "Fn::Sub of something that is no text")
	}
	out := &Value{Line: call.Line, Col: call.Col}
	rest := text.Text
	for {
		before, after, found := strings.Cut(rest, "${")
		name, behind, closed := strings.Cut(after, "}")
		if !found || !closed {
			out.Text += rest
			return dynamic(out)
		}
		out.Text += before
		rest = behind
		var filled *Value
		switch literal, is := strings.CutPrefix(name, "!"); {
		case is:
			out.Text += "${" + literal + "}"
			continue
		case values.Get(strings.TrimSpace(name)) != nil:
			filled = t.resolve(values.Get(strings.TrimSpace(name)), depth+1)
		case strings.Contains(name, "."):
			filled = t.getAtt(call, scalar(call, strings.TrimSpace(name)), depth)
		default:
			filled = t.ref(call, strings.TrimSpace(name), depth)
		}
		if filled.Kind == List {
			filled = ofTwo(&Value{Line: call.Line, Col: call.Col, Text: "Fn::Join"}, scalar(call, ","), filled)
		}
		out.Text += filled.String()
		out.Missing = append(out.Missing, filled.Missing...)
		t.steps += len(out.Text) / 16
	}
}

// find looks a value up in Mappings.
func (t *Template) find(call, arg *Value, depth int) *Value {
	arg = t.arguments(arg, depth)
	if arg.Kind != List || len(arg.Items) < 3 {
		return placeholder(call, "FindInMap", "Fn::FindInMap needs a map and two keys")
	}
	for _, part := range arg.Items[:3] {
		if len(part.Missing) > 0 {
			return placeholder(call, arg.Items[0].Text+"-"+arg.Items[2].Text, part.Missing[0])
		}
	}
	if v := t.mappings[arg.Items[0].String()].Get(arg.Items[1].String()).Get(arg.Items[2].String()); v != nil {
		return t.resolve(v, depth+1)
	}
	if len(arg.Items) > 3 && arg.Items[3].Get("DefaultValue") != nil {
		return arg.Items[3].Get("DefaultValue")
	}
	return placeholder(call, arg.Items[0].Text+"-"+arg.Items[2].Text, "the mapping "+arg.Items[0].Text+" has no "+arg.Items[1].Text+"/"+arg.Items[2].Text)
}
