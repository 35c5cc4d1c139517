package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/credentials"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/wire/selftest"
)

// soon is how long before its end a credential is worth a warning.
const soon = 30 * 24 * time.Hour

// jiraTokenEnds says when Jira's token ends: what the configuration says, or a year
// after the service that uses the data folder first saw it.
func (d *doctor) jiraTokenEnds() []selftest.Result {
	j := d.c.Jira
	if !j.Token.Set() {
		return nil
	}
	ends, err := j.TokenEnds()
	if err != nil {
		return nil // the configuration's own fault says it
	}
	if !ends.IsZero() {
		return []selftest.Result{d.ends("token", "jira.token ends on "+ends.Format(time.DateOnly), ends)}
	}
	seen, ok := credentials.Shown(d.c.DataDir, "jira.token", j.Token.Reveal())
	if !ok {
		return []selftest.Result{{About: "token", Status: selftest.OK, Message: "nobody knows yet when jira.token ends: Atlassian shows the date beside the token, jira.tokenExpires is where it goes"}}
	}
	ends = seen.Add(credentials.Year)
	return []selftest.Result{d.ends("token", fmt.Sprintf("jira.token may end on %s, a year after %s, when rollcall first saw it; jira.tokenExpires may say it better", ends.Format(time.DateOnly), seen.Format(time.DateOnly)), ends)}
}

// awsLoginEnds says when the credentials end that rollcall starts with; nothing
// where they do not, or the other checks say that they are no good.
func (d *doctor) awsLoginEnds(ctx context.Context, o accounts.Options) []selftest.Result {
	login, err := accounts.Open(o).Login(ctx)
	if err != nil || login.Ends.IsZero() {
		return nil
	}
	return []selftest.Result{d.ends("credentials", "those of "+login.From+" end on "+login.Ends.UTC().Format("2006-01-02 15:04 UTC"), login.Ends)}
}

// ends is a line about an end, a warning in the last 30 days.
func (d *doctor) ends(about, message string, ends time.Time) selftest.Result {
	now := time.Now
	if d.o.Now != nil {
		now = d.o.Now
	}
	r := selftest.Result{About: about, Status: selftest.OK, Message: message}
	if ends.Sub(now()) < soon {
		r.Status, r.Fix = selftest.Warning, []string{"renew it before that day, and restart rollcall with the new one"}
	}
	return r
}
