package words

import "strings"

// LogAttrs are the attributes of a log line that is about a pipeline
// ("webshop"), an execution ("webshop#42"), or an action of it (its stage and
// name) or a stage alone: pipeline, execution, action or stage. Every line has them from here, so that whoever
// reads the log can search for one of them by one name.
func LogAttrs(ref string, action ...string) []any {
	pipeline, _, numbered := strings.Cut(ref, "#")
	attrs := []any{"pipeline", pipeline}
	if numbered {
		attrs = append(attrs, "execution", ref)
	}
	switch {
	case len(action) == 2 && action[1] != "":
		attrs = append(attrs, "action", action[0]+"/"+action[1])
	case len(action) > 0 && action[0] != "":
		attrs = append(attrs, "stage", action[0])
	}
	return attrs
}
