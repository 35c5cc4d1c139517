package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/elasticloadbalancing"
)

func openLoadBalancing(w *api.World) api.Service { return elasticloadbalancing.New(w) }
