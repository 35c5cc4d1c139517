package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudtrail"
)

func openCloudTrail(w *api.World) api.Service { return cloudtrail.New(w) }
