// Package protocol reads calls and writes answers in the protocols of AWS: JSON 1.0 and 1.1, query, REST with JSON and with
// XML, and CBOR. What goes where is in the models of package shapes.
package protocol

import (
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// form is how a call is written.
type form string

const (
	formJSON     form = "json"
	formQuery    form = "query"
	formRESTJSON form = "rest-json"
	formRESTXML  form = "rest-xml"
	formCBOR     form = "smithy-rpc-v2-cbor"
)

// Call is a call as it was written.
type Call struct {
	Service   string // as IAM writes it; empty: the fake has none of it
	Operation string
	Input     map[string]any
	Body      []byte // the blob that is the whole body
	Method    string // of HTTP
	form      form
	model     *shapes.Model
}

// New is a call that nobody sent, in the service's own protocol.
func New(service, operation string) *Call {
	c := &Call{Service: service, Operation: operation, Method: http.MethodPost, model: shapes.Of(service)}
	if c.model != nil {
		c.form = form(c.model.About.Protocol)
	}
	return c
}

// Read tells service, operation and input of a request, signed for the service that is given. The call is there in any
// case, for the refusal.
func Read(r *http.Request, body []byte, signs string) (*Call, *api.Error) {
	target := r.Header.Get("X-Amz-Target")
	var c *Call
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // service/TARGET/operation/NAME
		if len(parts) != 4 {
			return &Call{form: formCBOR}, unknownOperation()
		}
		c = New(byTarget(parts[1]), parts[3])
		c.form = formCBOR
		return c, c.readCBOR(body)
	case target != "":
		dot := strings.LastIndexByte(target, '.')
		c = New(byTarget(target[:max(dot, 0)]), target[dot+1:])
		c.form = formJSON
		return c, c.readJSON(body)
	}
	c = New(shapes.Find(func(a shapes.About) bool { return a.Signs == signs }), "")
	c.Method = r.Method
	if c.form == formRESTJSON || c.form == formRESTXML {
		return c, c.readREST(r, body)
	}
	c.form = formQuery
	return c, c.readQuery(body)
}

// byTarget is the service of a target. Some SDKs leave out the namespace before it.
func byTarget(target string) string {
	return shapes.Find(func(a shapes.About) bool {
		return a.Target == target || target != "" && strings.HasSuffix(a.Target, "."+target)
	})
}

func unknownOperation() *api.Error {
	return &api.Error{Status: http.StatusBadRequest, Code: "UnknownOperationException", Message: "The request names no operation"}
}

func malformed(what string) *api.Error {
	return &api.Error{Status: http.StatusBadRequest, Code: "SerializationException", Message: what}
}

// operation is what the model says; ok is false for one that the fake does not have.
func (c *Call) operation() (op shapes.Operation, ok bool) {
	if c.model == nil {
		return op, false
	}
	op, ok = c.model.Operations[c.Operation]
	return op, ok
}

// Known says whether the fake's models have the operation.
func (c *Call) Known() bool {
	_, ok := c.operation()
	return ok
}

// input is the shape of the input; nil: there is none.
func (c *Call) input() *shapes.Shape {
	op, ok := c.operation()
	if !ok || op.Input == "" {
		return nil
	}
	return c.model.Shapes[op.Input]
}

// Query says whether errors of this call have the short codes of the older protocols, "AccessDenied" for
// "AccessDeniedException".
func (c *Call) Query() bool { return c.form == formQuery || c.form == formRESTXML }
