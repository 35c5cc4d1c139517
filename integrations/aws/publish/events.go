package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/workflows/event"
)

// eventSource is the source of events: those that begin with "aws." are AWS's alone.
const eventSource = "rollcall"

// events tells a bus of EventBridge what CodePipeline would tell.
type events struct {
	o *Options

	mu      sync.Mutex
	account string
}

func (*events) most() int { return 10 }

func (*events) concerns(e *event.Event) bool {
	level, _ := state(e)
	return level != ""
}

func (*events) items(f *facts, e *event.Event) (all []any) {
	for _, c := range changes(f, e) {
		all = append(all, c)
	}
	return all
}

func (s *events) send(ctx context.Context, _ *facts, all []item) (again []int, err error) {
	region := ""
	if strings.HasPrefix(s.o.Bus, "arn:") {
		region = strings.Split(s.o.Bus, ":")[3]
	}
	config, err := s.o.Accounts.Config(ctx, s.o.place(region))
	if err != nil {
		return nil, err
	}
	account, err := s.accountOf(ctx, config)
	if err != nil {
		return nil, err
	}
	in := &eventbridge.PutEventsInput{}
	for _, one := range all {
		entry, err := s.entry(one, config.Region, account)
		if err != nil {
			return nil, err
		}
		in.Entries = append(in.Entries, entry)
	}
	out, err := eventbridge.NewFromConfig(config).PutEvents(ctx, in)
	if err != nil {
		return nil, err
	}
	for i, answer := range out.Entries {
		switch code := aws.ToString(answer.ErrorCode); code {
		case "":
		case "InvalidArgument", "MalformedDetail":
			s.o.Log.Warn("EventBridge does not take an event; it is left out", "event", all[i].ID, "code", code, "message", aws.ToString(answer.ErrorMessage))
		default:
			again = append(again, i)
		}
	}
	return again, nil
}

// entry is a change as EventBridge takes it.
func (s *events) entry(one item, region, account string) (types.PutEventsRequestEntry, error) {
	c := one.what.(change)
	c.detail.Own.ID = one.ID
	if c.level == levelAction && c.detail.Region == "" {
		c.detail.Region = region
	}
	text, err := json.Marshal(c.detail)
	return types.PutEventsRequestEntry{EventBusName: &s.o.Bus, Source: aws.String(eventSource), DetailType: aws.String("CodePipeline " + c.level + " Execution State Change"),
		Detail: aws.String(string(text)), Time: aws.Time(one.at), Resources: []string{pipelineARN(region, account, c.detail.Pipeline)}}, err
}

// pipelineARN is the ARN that the pipeline would have in CodePipeline.
func pipelineARN(region, account, name string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return fmt.Sprintf("arn:%s:codepipeline:%s:%s:%s", partition, region, account, name)
}

// accountOf is the account of who calls; AWS is asked once.
func (s *events) accountOf(ctx context.Context, config aws.Config) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account == "" {
		s.account = accounts.AccountOf(s.o.RoleARN)
	}
	if s.account == "" {
		who, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return "", err
		}
		s.account = aws.ToString(who.Account)
	}
	return s.account, nil
}
