package protocol

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// Answer is an answer as it goes over the wire.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// contentTypes by protocol; JSON has its version behind it.
func (c *Call) header() http.Header {
	h := http.Header{}
	switch c.form {
	case formQuery:
		h.Set("Content-Type", "text/xml")
	case formRESTXML:
		h.Set("Content-Type", "application/xml")
	case formRESTJSON:
		h.Set("Content-Type", "application/json")
	case formCBOR:
		h.Set("Content-Type", "application/cbor")
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	default:
		version := "1.1"
		if c.model != nil && c.model.About.JSON != "" {
			version = c.model.About.JSON
		}
		h.Set("Content-Type", "application/x-amz-json-"+version)
	}
	return h
}

// Answer writes what a service answered.
func (c *Call) Answer(out any, requestID string) Answer {
	op, _ := c.operation()
	a := Answer{Status: http.StatusOK, Header: c.header()}
	if op.Status != 0 {
		a.Status = op.Status
	}
	s := c.model.Shapes[op.Output]
	if _, given := out.(map[string]any); c.form == formJSON && !given || out == nil && c.form == formJSON {
		if out != nil { // a value with JSON tags is written as it is
			a.Body = marshal(out)
		}
		return a
	}
	members := map[string]any{}
	if s != nil && out != nil {
		members, _ = c.tree(c.Operation, s, reflect.ValueOf(out)).(map[string]any)
	}
	switch c.form {
	case formQuery:
		w := &xmlWriter{call: c}
		w.open(c.Operation+"Response", c.model.About.Namespace)
		if op.Wrapper != "" {
			w.open(op.Wrapper, "")
			w.members(s, members)
			w.close(op.Wrapper)
		}
		w.open("ResponseMetadata", "")
		w.text("RequestId", requestID)
		w.close("ResponseMetadata")
		w.close(c.Operation + "Response")
		a.Body = []byte(w.String())
	case formCBOR:
		a.Body = cbor.Encode(toCBOR(members))
	case formJSON:
		a.Body = marshal(c.toJSON(s, shapes.Place{}, members))
	default:
		c.answerREST(&a, op, s, members)
	}
	return a
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // answers are made of plain values
	}
	return body
}

// toJSON writes times as seconds since 1970, with milliseconds, and names as they are on the wire.
func (c *Call) toJSON(s *shapes.Shape, at shapes.Place, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if s.Type == "map" {
				out[name] = c.toJSON(c.model.Shapes[s.Of], shapes.Place{}, inner)
			} else if s.Wire[name].In == "" {
				out[s.WireName(name)] = c.toJSON(c.model.Shapes[s.Members[name]], s.Wire[name], inner)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, one := range v {
			out = append(out, c.toJSON(c.model.Shapes[s.Of], shapes.Place{}, one))
		}
		return out
	case time.Time:
		if f := timeFormat(s, at, "unixTimestamp"); f != "unixTimestamp" {
			return plainText(v, f)
		}
		return float64(v.UnixMilli()) / 1000
	}
	return v
}

func toCBOR(v any) cbor.Value {
	switch v := v.(type) {
	case map[string]any:
		out := cbor.Map{}
		for name, inner := range v {
			out[name] = toCBOR(inner)
		}
		return out
	case []any:
		out := cbor.List{}
		for _, one := range v {
			out = append(out, toCBOR(one))
		}
		return out
	case string:
		return cbor.String(v)
	case bool:
		return cbor.Bool(v)
	case []byte:
		return cbor.Slice(v)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(v.UnixMilli()) / 1000)}
	case float64:
		return cbor.Float64(v)
	case int64:
		if v < 0 {
			return cbor.NegInt(-v) //nolint:gosec // it is above zero
		}
		return cbor.Uint(v) //nolint:gosec // it is above zero
	}
	return &cbor.Nil{}
}

// answerREST puts members into headers and status, and the rest or the payload into the body.
func (c *Call) answerREST(a *Answer, op shapes.Operation, s *shapes.Shape, members map[string]any) {
	if s == nil {
		return
	}
	for member, v := range members {
		inner := c.model.Shapes[s.Members[member]]
		switch at := s.Wire[member]; at.In {
		case "header":
			a.Header.Set(at.Name, plainText(v, timeFormat(inner, at, "rfc822")))
		case "headers":
			with, _ := v.(map[string]any) // the model says so
			for name, text := range with {
				a.Header[strings.ToLower(at.Name+name)] = []string{plainText(text, "")} // as S3 writes them
			}
		case "statusCode":
			if n, ok := v.(int64); ok {
				a.Status = int(n)
			}
		}
	}
	if a.Header.Get("Content-Range") != "" {
		a.Status = http.StatusPartialContent
	}
	switch v := members[s.Payload].(type) {
	case []byte:
		a.Body = v
		if members["ContentType"] == nil {
			a.Header.Set("Content-Type", "binary/octet-stream")
		}
	case string:
		a.Body = []byte(v)
	case map[string]any:
		a.Body = c.body(s.Members[s.Payload], v)
	default:
		if s.Payload == "" && c.inBody(s) {
			a.Body = c.body(op.Output, members)
		}
	}
	if a.Body != nil && c.Method != http.MethodHead {
		a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
}

// inBody says whether any member of an output goes into the body.
func (c *Call) inBody(s *shapes.Shape) bool {
	for member := range s.Members {
		if s.Wire[member].In == "" {
			return true
		}
	}
	return false
}

// body is a structure as the body of an answer in a REST protocol.
func (c *Call) body(shape string, members map[string]any) []byte {
	s := c.model.Shapes[shape]
	if c.form == formRESTJSON {
		return marshal(c.toJSON(s, shapes.Place{}, members))
	}
	w := &xmlWriter{call: c}
	if c.Operation == "GetBucketLocation" { // the one answer of S3 whose root is the value
		w.text("LocationConstraint", plainText(members["LocationConstraint"], ""))
		return []byte(w.String())
	}
	w.open(shape, c.model.About.Namespace)
	w.members(s, members)
	w.close(shape)
	return []byte(w.String())
}

// Refusal writes an error.
func (c *Call) Refusal(e *api.Error, requestID string) Answer {
	wired := shapes.Wired{}
	if c.model != nil {
		wired = c.model.Errors[e.Code]
	}
	if wired.Code == "" {
		wired.Code = e.Code
	}
	if e.Code == "QueueDoesNotExist" { // botocore's models do not tell the older code
		wired.Code = "AWS.SimpleQueueService.NonExistentQueue"
	}
	a := Answer{Status: e.Status, Header: c.header()}
	for name, value := range e.Header {
		a.Header.Set(name, value)
	}
	for _, status := range []int{wired.Status, http.StatusBadRequest} {
		if a.Status == 0 {
			a.Status = status
		}
	}
	by := "Sender"
	if a.Status >= http.StatusInternalServerError {
		by = "Receiver"
	}
	if c.model != nil && c.model.About.QueryCompatible {
		a.Header.Set("X-Amzn-Query-Error", wired.Code+";"+by)
	}
	switch c.form {
	case formQuery, formRESTXML:
		a.Body = c.refusalXML(e, wired.Code, by, requestID)
	case formCBOR:
		a.Body = cbor.Encode(toCBOR(merged(e, map[string]any{"__type": "com.amazonaws." + c.Service + "#" + e.Code, "message": e.Message})))
	case formRESTJSON:
		a.Header.Set("X-Amzn-Errortype", e.Code)
		a.Body = marshal(merged(e, map[string]any{"Type": map[string]string{"Sender": "User", "Receiver": "Service"}[by], "message": e.Message}))
	default:
		a.Body = marshal(merged(e, map[string]any{"__type": e.Code, "message": e.Message}))
	}
	if c.Method == http.MethodHead {
		a.Body = nil
	}
	return a
}

func merged(e *api.Error, body map[string]any) map[string]any {
	maps.Copy(body, e.Fields)
	return body
}

func (c *Call) refusalXML(e *api.Error, code, by, requestID string) []byte {
	w := &xmlWriter{call: c}
	if c.Service != "s3" {
		namespace := ""
		if c.model != nil {
			namespace = c.model.About.Namespace
		}
		w.open("ErrorResponse", namespace)
	}
	w.open("Error", "")
	if c.Service != "s3" {
		w.text("Type", by)
	}
	w.text("Code", code)
	w.text("Message", e.Message)
	for name, v := range e.Fields {
		w.text(name, strings.TrimSpace(plainText(v, "")))
	}
	if c.Service == "s3" {
		w.text("RequestId", requestID)
		w.close("Error")
		return []byte(w.String())
	}
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return []byte(w.String())
}
