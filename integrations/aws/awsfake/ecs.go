package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/ecs"
)

func openECS(w *api.World) api.Service { return ecs.New(w) }
