package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ssm"
)

func openSSM(w *api.World) api.Service { return ssm.New(w) }
