package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/servicequotas"
)

func openServiceQuotas(w *api.World) api.Service { return servicequotas.New(w) }
