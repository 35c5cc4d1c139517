package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/sns"
)

func openSNS(w *api.World) api.Service { return sns.New(w) }
