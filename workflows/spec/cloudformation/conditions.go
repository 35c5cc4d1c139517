package cloudformation

import "strings"

// choose carries out Fn::If. Where the condition is not known the first value
// is taken that is one, and marked.
func (t *Template) choose(call, arg *Value, depth int) *Value {
	if arg.Kind != List || len(arg.Items) != 3 {
		return placeholder(call, "If", "Fn::If needs a condition and two values")
	}
	name := arg.Items[0].String()
	holds, known := t.holds(name, depth)
	if known {
		if holds {
			return t.resolve(arg.Items[1], depth+1)
		}
		return t.resolve(arg.Items[2], depth+1)
	}
	v := t.resolve(arg.Items[1], depth+1)
	if v.Absent() {
		v = t.resolve(arg.Items[2], depth+1)
	}
	marked := *v
	marked.Missing = append([]string{"whether the condition " + name + " holds is not known here, and the first value is taken"}, v.Missing...)
	return &marked
}

// holds says whether a condition of the template holds.
func (t *Template) holds(name string, depth int) (holds, known bool) {
	c := t.conditions[name]
	if c == nil || depth > maxDepth {
		return false, false
	}
	return t.judge(c, depth+1)
}

// judge evaluates the functions of conditions.
func (t *Template) judge(v *Value, depth int) (holds, known bool) {
	if t.steps++; depth > maxDepth || t.steps > most || v.Kind != Call {
		return strings.EqualFold(v.String(), "true"), v.Kind == Scalar
	}
	arg := v.Items[0]
	switch v.Text {
	case "Condition":
		return t.holds(arg.String(), depth+1)
	case "Fn::Equals":
		if arg = t.arguments(arg, depth); arg.Kind != List || len(arg.Items) != 2 || len(arg.Items[0].Missing)+len(arg.Items[1].Missing) > 0 {
			return false, false
		}
		return arg.Items[0].String() == arg.Items[1].String(), true
	case "Fn::Not":
		if arg.Kind == List && len(arg.Items) == 1 {
			arg = arg.Items[0]
		}
		holds, known = t.judge(arg, depth+1)
		return !holds, known
	case "Fn::And", "Fn::Or":
		all := v.Text == "Fn::And"
		known = true
		for _, item := range arg.Items {
			holds, sure := t.judge(item, depth+1)
			if sure && holds != all {
				return !all, true
			}
			known = known && sure
		}
		return all, known
	}
	return false, false
}
