package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
)

func openLambda(w *api.World) api.Service { return lambda.New(w) }
