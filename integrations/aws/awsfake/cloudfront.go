package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/cloudfront"
)

func openCloudFront(w *api.World) api.Service { return cloudfront.New(w) }
