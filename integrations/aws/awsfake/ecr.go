package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecr"
)

func openECR(w *api.World) api.Service { return ecr.New(w) }
