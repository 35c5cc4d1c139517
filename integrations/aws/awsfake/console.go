package awsfake

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codepipeline"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/protocol"
)

// Console is AWS's console for somebody: calls without a socket and without faults, in the journal like all others.
type Console struct {
	s                    *Server
	arn, region, service string
}

// Console opens the console of a region for a user, by ARN, in the user's account.
func (s *Server) Console(arn, region string) *Console {
	return &Console{s, arn, region, "codepipeline"}
}

// In is the console of another service: "ecs".
func (c *Console) In(service string) *Console { return &Console{c.s, c.arn, c.region, service} }

// Do carries out an operation, of CodePipeline unless it is the console of another service. The input is a value that encodes to AWS's JSON; out gets the answer, unless it is nil.
func (c *Console) Do(operation string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	input := map[string]any{}
	if err := json.Unmarshal(raw, &input); err != nil {
		return fmt.Errorf("%s: the input is no object: %w", operation, err)
	}
	who := &principal{arn: c.arn, account: accountOf(c.arn)}
	call := &Call{At: c.s.options.Now(), Service: c.service, Operation: operation, Region: c.region, Input: raw}
	call.of(who)
	c.s.note(call)
	wire := protocol.New(call.Service, operation)
	wire.Input = input
	result, bad := c.s.do(context.Background(), c.s.request(call, who, wire))
	answer := c.s.write(wire, result, bad)
	c.s.close(call, answer, bad)
	switch {
	case bad != nil:
		return fmt.Errorf("%s: %w", operation, &codepipeline.Error{Code: bad.Code, Message: bad.Message})
	case out == nil || len(answer.Body) == 0:
		return nil
	}
	return json.Unmarshal(answer.Body, out)
}
