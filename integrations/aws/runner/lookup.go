package runner

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotas "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/diagnose"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

const (
	// lookUpWithin is how long an action that has failed waits for what says more about it.
	lookUpWithin = 2 * time.Second
	mostQuotas   = 100 // that one answer has
	mostRecorded = 50  // events that one answer has
)

// lookUp has the finding of an action that failed say more, by one call: which quota
// was reached, or which event of CloudTrail it is about. It changes nothing else, and
// where it cannot be asked, nothing is said.
func (r *Runner) lookUp(ctx context.Context, a *Attempt, o *work.Outcome) {
	if o.Error == nil || o.Error.Finding == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpWithin)
	defer cancel()
	f, said := *o.Error.Finding, o.Error.Code+": "+o.Error.Message
	if q, ok := diagnose.QuotaOf(&f, r.kind.Provider, said); ok {
		f = a.withQuota(ctx, f, q)
	} else if t, ok := diagnose.TrailOf(&f, r.subject(a, o), a.Began(), said); ok {
		f = a.withEvent(ctx, f, t)
	}
	reason := *o.Error
	reason.Finding = &f
	o.Error = &reason
}

// subject is what the attempt works on.
func (r *Runner) subject(a *Attempt, o *work.Outcome) diagnose.Subject {
	s := diagnose.Subject{Changed: r.kind.Subject.Changed, Deleted: r.kind.Subject.Deleted}
	name := a.Setting(r.kind.Subject.Setting)
	if _, after, ok := strings.Cut(name, ":function:"); ok {
		name, _, _ = strings.Cut(after, ":")
	}
	for _, one := range []string{name[strings.LastIndexAny(name, "/:")+1:], o.ExternalID} {
		if one != "" {
			s.Names = append(s.Names, one)
		}
	}
	if cmp.Or(a.Task.Action.RoleArn, a.Task.PipelineRole) != "" {
		s.Own = a.caller.Session
	}
	return s
}

// once is the attempt's configuration for a call that is not worth a repeat.
func (a *Attempt) once(region string) aws.Config {
	c := a.Config.Copy()
	c.RetryMaxAttempts, c.Region = 1, region
	return c
}

func (a *Attempt) withQuota(ctx context.Context, f workflows.Finding, q diagnose.Quota) workflows.Finding {
	region := a.Config.Region
	if q.Service == "iam" && a.Place.Partition == "aws" {
		region = "us-east-1" // where quotas of the whole account are
	}
	page := a.URL("servicequotas/home/services/"+q.Service+"/quotas", "")
	if q.Code != "" {
		page = a.URL("servicequotas/home/services/"+q.Service+"/quotas/"+q.Code, "")
	}
	if !q.IsKnown() {
		return diagnose.WithQuota(f, q, page)
	}
	api := servicequotas.NewFromConfig(a.once(region))
	var all []quotas.ServiceQuota
	var err error
	call := "servicequotas:GetServiceQuota"
	if q.Code != "" {
		var out *servicequotas.GetServiceQuotaOutput
		if out, err = api.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &q.Service, QuotaCode: &q.Code}); err == nil && out.Quota != nil {
			all = append(all, *out.Quota)
		}
	} else {
		call = "servicequotas:ListServiceQuotas"
		var out *servicequotas.ListServiceQuotasOutput
		if out, err = api.ListServiceQuotas(ctx, &servicequotas.ListServiceQuotasInput{ServiceCode: &q.Service, MaxResults: aws.Int32(mostQuotas)}); err == nil {
			all = out.Quotas
		}
	}
	for _, one := range all {
		if q.Fits(aws.ToString(one.QuotaCode), aws.ToString(one.QuotaName)) && one.Value != nil && (q.Name == "" || *one.Value < q.Value) {
			q.Name, q.Value, q.Unit, q.Fixed = aws.ToString(one.QuotaName), *one.Value, aws.ToString(one.Unit), !one.Adjustable
			page = a.URL("servicequotas/home/services/"+q.Service+"/quotas/"+aws.ToString(one.QuotaCode), "")
		}
	}
	f = diagnose.WithQuota(f, q, page)
	if isDenied(err) {
		f = diagnose.WithPermission(f, call, "what the quota's value is")
	}
	return f
}

func (a *Attempt) withEvent(ctx context.Context, f workflows.Finding, t diagnose.Trail) workflows.Finding {
	in := &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(mostRecorded), LookupAttributes: []trail.LookupAttribute{{AttributeKey: trail.LookupAttributeKey(t.Attribute), AttributeValue: &t.Value}}}
	if !t.Since.IsZero() {
		in.StartTime = &t.Since
	}
	out, err := cloudtrail.NewFromConfig(a.once(a.Config.Region)).LookupEvents(ctx, in)
	switch {
	case isDenied(err) && t.Attribute == "EventName": // of a denial the finding says who already
		return diagnose.WithPermission(f, "cloudtrail:LookupEvents", "who did it and when")
	case err != nil:
		return f
	}
	all := make([]string, 0, len(out.Events))
	for _, e := range out.Events {
		all = append(all, aws.ToString(e.CloudTrailEvent))
	}
	if e, ok := t.Find(all); ok {
		f = diagnose.WithEvent(f, e)
	}
	return f
}

func isDenied(err error) bool { return err != nil && accounts.Classify(err) == accounts.Denied }
