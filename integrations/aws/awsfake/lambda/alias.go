package lambda

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

func (f *function) aliasOf(q *api.Request) (*alias, *api.Error) {
	name := q.Input.Text("Name")
	if a := f.aliases[name]; a != nil {
		return a, nil
	}
	return nil, api.Refuse("ResourceNotFoundException", "Cannot find alias arn: %s", q.ARN("function:"+f.Name+":"+name))
}

func (a *alias) describe(q *api.Request, f *function) map[string]any {
	name := q.Input.Text("Name")
	out := map[string]any{"AliasArn": q.ARN("function:" + f.Name + ":" + name), "Name": name, "FunctionVersion": a.version, "RevisionId": a.revision}
	if len(a.weights) > 0 {
		out["RoutingConfig"] = map[string]any{"AdditionalVersionWeights": maps.Clone(a.weights)}
	}
	return out
}

func (f *function) getAlias(q *api.Request) (any, *api.Error) {
	a, bad := f.aliasOf(q)
	if bad != nil {
		return nil, bad
	}
	return a.describe(q, f), nil
}

func (s *Service) updateAlias(q *api.Request, f *function) (any, *api.Error) {
	a, bad := f.aliasOf(q)
	if bad != nil {
		return nil, bad
	}
	if bad := stale(q.Input, a.revision); bad != nil {
		return nil, bad
	}
	next := alias{a.version, a.weights, s.world.NewID()}
	if v := q.Input.Text("FunctionVersion"); v != "" {
		next.version = v
	}
	if q.Input.Has("RoutingConfig") {
		next.weights = map[string]any{}
		maps.Copy(next.weights, q.Input.In("RoutingConfig").In("AdditionalVersionWeights"))
	}
	if _, bad := f.qualified(q, next.version); bad != nil {
		return nil, bad
	}
	for v, share := range next.weights {
		if _, bad := f.qualified(q, v); bad != nil {
			return nil, bad
		}
		if part, _ := share.(float64); v == next.version || len(next.weights) > 1 || part < 0 || part > 1 {
			return nil, api.Refuse("InvalidParameterValueException", "Invalid routing config: an alias has one other version, with a weight from 0 to 1.")
		}
	}
	*a = next
	return a.describe(q, f), nil
}

// logTail is how much of a log AWS sends back.
const logTail = 4096

func (f *function) invoke(q *api.Request) (any, *api.Error) {
	_, qualifier := split(q.Input)
	v, bad := f.qualified(q, qualifier)
	if bad != nil {
		return nil, bad
	}
	var answer Answer
	if f.Handler != nil {
		answer = f.Handler(q.Body)
	}
	payload := []byte(answer.Payload)
	out := map[string]any{"StatusCode": 200.0, "ExecutedVersion": v.number}
	if answer.ErrorType != "" || answer.ErrorMessage != "" {
		out["FunctionError"] = "Unhandled"
		text, err := json.Marshal(map[string]any{"errorType": answer.ErrorType, "errorMessage": answer.ErrorMessage, "stackTrace": []string{}})
		if err != nil {
			panic(err) // it is made of texts
		}
		payload = text
	}
	if len(payload) == 0 {
		payload = []byte("null")
	}
	if out["Payload"] = payload; q.Input.Text("LogType") == "Tail" {
		log := strings.Join(answer.Log, "\n") + "\n"
		out["LogResult"] = base64.StdEncoding.EncodeToString([]byte(log[max(0, len(log)-logTail):]))
	}
	return out, nil
}
