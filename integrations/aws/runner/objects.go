package runner

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rollcall-bot/rollcall/integrations/aws/artifacts"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Take makes an object that the action's role may read the output artifact of that
// name. Its version is taken as it is; nothing of it passes through here when S3
// knows its checksum and the service itself may read it.
func (a *Attempt) Take(ctx context.Context, name string, from artifacts.Object) (workflows.Artifact, error) {
	if a.frame.o.Objects == nil {
		return workflows.Artifact{}, a.noStore()
	}
	as, err := a.TransferConfig(ctx)
	if err != nil {
		return workflows.Artifact{}, err
	}
	as.Region = from.Region
	return a.frame.o.Objects.Take(ctx, a.Task.Pipeline, name, from, as)
}

// TransferConfig is the action's configuration for calls of S3 with whole objects: they may
// be of any length, and many a second.
func (a *Attempt) TransferConfig(ctx context.Context) (aws.Config, error) {
	p := a.caller
	p.Objects = true
	return a.frame.o.Accounts.Config(ctx, p)
}

// Unpack lays the input artifact of that name out in a folder.
func (a *Attempt) Unpack(name, dir string) error {
	one, err := a.Artifact(name)
	if err != nil {
		return err
	}
	if err = a.workspace.Unpack(one, dir); err == nil || wire.TransientIO(err) {
		return err
	}
	return &artifacts.MissingError{Artifact: name, At: cmp.Or(one.At, "the data folder"), Why: err.Error()}
}
