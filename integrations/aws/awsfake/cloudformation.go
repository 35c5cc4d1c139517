package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudformation"
)

func openCloudFormation(w *api.World) api.Service { return cloudformation.New(w) }
