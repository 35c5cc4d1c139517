package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
	"github.com/rollcall-bot/rollcall/integrations/aws/secrets"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Fetch returns what fetches the secrets that the environments of actions name, as
// the pipeline's role and the action's, like any of their calls. One of them must be
// there: what rollcall's own credentials may read, such as the secrets of the
// configuration, is not for those who edit pipelines. refused says what is missing,
// without any secret; an error may pass.
func Fetch(c *config.Config) func(ctx context.Context, t work.Task) (values map[string]string, refused *workflows.Reason, err error) {
	all := accounts.Open(options(c))
	return func(ctx context.Context, t work.Task) (map[string]string, *workflows.Reason, error) {
		values := map[string]string{}
		for _, v := range t.Action.EnvironmentVariables {
			if v.Plain() {
				continue
			}
			if t.PipelineRole == "" && t.Action.RoleArn == "" {
				return nil, &workflows.Reason{Code: "ConfigurationInvalid", Message: "the environment variable " + v.Name + " is of type " + v.Type + ", and no role fetches it: set roleArn of the pipeline or of the action"}, nil
			}
			ref := secrets.ParseVariable(v.Type, t.Environment[v.Name])
			at, err := all.Config(ctx, accounts.Place{Roles: []string{t.PipelineRole, t.Action.RoleArn}, Region: t.Action.Region, Person: t.For, Session: fmt.Sprintf("rc-%.8s-%s", t.Execution, t.Action.Name)})
			if err != nil {
				return nil, &workflows.Reason{Code: "ConfigurationInvalid", Message: fmt.Sprintf("the environment variable %s: %s cannot be read: %v", v.Name, ref, err)}, nil
			}
			value, err := secrets.Get(ctx, at, ref)
			if why := (*secrets.Error)(nil); errors.As(err, &why) && !why.Passes {
				return nil, &workflows.Reason{Code: "ConfigurationInvalid", Message: fmt.Sprintf("the environment variable %s: %v", v.Name, err), Finding: why.Finding}, nil
			}
			if err != nil {
				return nil, nil, fmt.Errorf("the environment variable %s: %w", v.Name, err)
			}
			values[v.Name] = value
		}
		return values, nil, nil
	}
}
