package protocol

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// readREST finds the operation by method, path and parameters, and its input in path, parameters, headers and body.
func (c *Call) readREST(r *http.Request, body []byte) *api.Error {
	path := r.URL.EscapedPath()
	if bucket, _, ok := strings.Cut(r.Host, ".s3."); ok && c.Service == "s3" {
		path = "/" + bucket + path // the bucket is in the host's name
	}
	if bad := unchunk(r.Method, r.Header, &body); bad != nil {
		return bad
	}
	best := -1
	var labels map[string]string
	for name, op := range c.model.Operations {
		found, rank := match(op, r, path)
		if found == nil {
			continue
		}
		in := c.model.Shapes[op.Input]
		for _, member := range in.Required {
			switch at := in.Wire[member]; at.In {
			case "header", "querystring":
				if r.Header.Get(at.Name) == "" && !r.URL.Query().Has(at.Name) {
					rank -= 100 // rather another operation, which does not need it
				}
				rank++
			}
		}
		if labels == nil || rank > best || rank == best && name < c.Operation {
			c.Operation, labels, best = name, found, rank
		}
	}
	c.Input = map[string]any{}
	if labels == nil {
		return unknownOperation()
	}
	in := c.input()
	c.readPlaces(in, r, labels)
	return c.readPayload(in, body)
}

// match holds a request against an operation's URI; the labels are nil if it is another one. The rank grows with how
// much of the URI is literal.
func match(op shapes.Operation, r *http.Request, path string) (labels map[string]string, rank int) {
	want, query, _ := strings.Cut(op.URI, "?")
	if op.Method != r.Method {
		return nil, 0
	}
	for _, q := range strings.Split(query, "&") {
		name, value, set := strings.Cut(q, "=")
		switch {
		case q == "":
			continue
		case !r.URL.Query().Has(name), set && r.URL.Query().Get(name) != value:
			return nil, 0
		}
		rank += 10
	}
	return labelsOf(strings.Split(strings.Trim(want, "/"), "/"), strings.TrimPrefix(path, "/")), rank
}

// labelsOf are the values of the labels in a path; nil: it is another path.
func labelsOf(want []string, path string) map[string]string {
	labels := map[string]string{}
	for i, w := range want {
		part, rest, more := strings.Cut(path, "/")
		name, greedy := strings.CutSuffix(strings.Trim(w, "{}"), "+")
		if greedy {
			part, rest, more = path, "", false
		}
		text, err := url.PathUnescape(part)
		switch {
		case err != nil, part == "", !strings.HasPrefix(w, "{") && text != w:
			return nil
		case strings.HasPrefix(w, "{"):
			labels[name] = text
		}
		if last := i == len(want)-1; last && rest != "" || !last && !more {
			return nil
		}
		path = rest
	}
	return labels
}

func (c *Call) readPlaces(in *shapes.Shape, r *http.Request, labels map[string]string) {
	for member, at := range in.Wire {
		s := c.model.Shapes[in.Members[member]]
		values := r.URL.Query()[at.Name]
		switch at.In {
		case "uri":
			c.Input[member] = labels[at.Name]
			continue
		case "header":
			values = r.Header.Values(at.Name)
		case "headers":
			with := map[string]any{}
			for name := range r.Header {
				if key, ok := strings.CutPrefix(strings.ToLower(name), strings.ToLower(at.Name)); ok {
					with[key] = r.Header.Get(name)
				}
			}
			if len(with) > 0 {
				c.Input[member] = with
			}
			continue
		case "querystring":
		default:
			continue
		}
		switch {
		case len(values) == 0:
		case s.Type == "list":
			list := []any{}
			for _, v := range values {
				for _, one := range strings.Split(v, ",") {
					list = append(list, scalar(strings.TrimSpace(one), c.model.Shapes[s.Of].Type))
				}
			}
			c.Input[member] = list
		default:
			c.Input[member] = scalar(values[0], s.Type)
		}
	}
}

func (c *Call) readPayload(in *shapes.Shape, body []byte) *api.Error {
	whole := in
	if in.Payload != "" {
		whole = c.model.Shapes[in.Members[in.Payload]]
	}
	switch {
	case whole.Type == "blob" || whole.Type == "string":
		c.Body = body
		if whole.Type == "string" {
			c.Input[in.Payload] = string(body)
		}
		return nil
	case len(body) == 0:
		return nil
	}
	var read map[string]any
	if c.form == formRESTXML {
		root, err := parseXML(body)
		if err != nil {
			return &api.Error{Status: http.StatusBadRequest, Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}
		}
		read = c.fromXML(root, whole)
	} else {
		var sent map[string]any
		if json.Unmarshal(body, &sent) != nil {
			return malformed("The request is not a JSON object")
		}
		read = map[string]any{}
		names := map[string]string{}
		for member := range whole.Members {
			names[whole.WireName(member)] = member
		}
		for name, v := range sent {
			if member, ok := names[name]; ok {
				name = member
			}
			read[name] = v
		}
	}
	if in.Payload != "" {
		c.Input[in.Payload] = read
		return nil
	}
	for name, v := range read {
		c.Input[name] = v
	}
	return nil
}
