package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codecommit"
)

func openCodeCommit(w *api.World) api.Service { return codecommit.New(w) }
