package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudwatch"
)

func openCloudWatch(w *api.World) api.Service { return cloudwatch.New(w) }
