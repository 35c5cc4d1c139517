package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codedeploy"
)

func openCodeDeploy(w *api.World) api.Service { return codedeploy.New(w) }
