package awsfake

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/shapes"
)

// request is a call on its way.
type request struct {
	*api.Request
	call *Call
	who  *principal
	wire *protocol.Call
	r    *region
}

func (q *request) at() place { return place{q.Account, q.Region} }

func refuse(status int, code, message string) *api.Error {
	return &api.Error{Status: status, Code: code, Message: message}
}

// bodyLimit is how much of a request is read, in bytes.
const bodyLimit = 64 << 20

func (s *Server) serve(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(io.LimitReader(hr.Body, bodyLimit))
	if err != nil {
		return // the caller has gone
	}
	signed := parseAuthorization(hr.Header.Get("Authorization"))
	wire, bad := protocol.Read(hr, body, signed.service)
	if bad != nil {
		s.answer(w, s.write(wire, nil, bad))
		return
	}
	call := &Call{At: s.options.Now(), Service: wire.Service, Operation: wire.Operation, Region: signed.region, AccessKeyID: signed.key}
	call.Input, _ = json.Marshal(wire.Input) // it is made of strings, numbers, lists and maps
	fault, lifted := s.faults.take(call.Name())
	call.Trouble = fault.Trouble
	who, bad := s.identify(signed, hr.Header.Get("X-Amz-Security-Token"), wire)
	if who != nil {
		call.of(who)
	}
	s.note(call)
	switch fault.Trouble {
	case Slow:
		hold(hr.Context(), lifted)
	case CutBefore:
		panic(http.ErrAbortHandler)
	}
	if refused := fault.refusal(wire); refused != nil {
		bad = refused
	}
	var out any
	if bad == nil {
		out, bad = s.do(hr.Context(), s.request(call, who, wire))
	}
	answer := s.write(wire, out, bad)
	s.close(call, answer, bad)
	if fault.Trouble == CutAfter {
		panic(http.ErrAbortHandler)
	}
	s.answer(w, answer)
}

func (s *Server) request(call *Call, who *principal, wire *protocol.Call) *request {
	return &request{
		Request: &api.Request{
			Service: call.Service, Operation: call.Operation, Account: call.Account, Region: call.Region, Principal: call.Principal,
			Input: wire.Input, Body: wire.Body,
		},
		call: call, who: who, wire: wire,
	}
}

// write makes the answer to a call.
func (s *Server) write(wire *protocol.Call, out any, bad *api.Error) protocol.Answer {
	if bad != nil {
		return wire.Refusal(bad, s.newID())
	}
	return wire.Answer(out, s.newID())
}

func (s *Server) answer(w http.ResponseWriter, a protocol.Answer) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Amzn-Requestid", s.newID())
	w.Header().Set("Date", s.options.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a caller that has gone needs no answer
}

// of says in the journal who calls.
func (c *Call) of(who *principal) {
	c.Principal, c.Account, c.Role, c.Session, c.ExternalID, c.SourceIdentity = who.arn, who.account, who.role, who.session, who.externalID, who.sourceIdentity
}

func (s *Server) note(call *Call) {
	s.mu.Lock()
	s.journal = newest(append(s.journal, call), s.options.Keep)
	s.mu.Unlock()
	s.changes.Notify()
}

// newest are the last so many of a list; 0: all.
func newest[T any](list []T, keep int) []T {
	if keep == 0 || len(list) <= 2*keep {
		return list
	}
	return append([]T(nil), list[len(list)-keep:]...)
}

func (s *Server) close(call *Call, answer protocol.Answer, bad *api.Error) {
	s.mu.Lock()
	call.Status, call.Output, call.Header = answer.Status, answer.Body, answer.Header
	if bad != nil {
		call.Code = bad.Code
	}
	s.mu.Unlock()
	s.changes.Notify()
}

// do checks the input and the rights, and carries the call out.
func (s *Server) do(ctx context.Context, q *request) (any, *api.Error) {
	if !q.wire.Known() {
		return nil, refuse(http.StatusBadRequest, "UnknownOperationException", "The fake of AWS has no "+q.call.Name())
	}
	if faults := shapes.Check(q.Service, q.Operation, q.Input); len(faults) > 0 {
		return nil, refuse(http.StatusBadRequest, invalid(q.Service), shapes.Message(faults))
	}
	if bad := s.authorize(q); bad != nil {
		return nil, bad
	}
	s.catchUp(func(at place) bool { return at == q.at() })
	return s.perform(ctx, q)
}
