package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/kms"
)

func openKMS(w *api.World) api.Service { return kms.New(w) }
