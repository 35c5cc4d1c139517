package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/secretsmanager"
)

func openSecretsManager(w *api.World) api.Service { return secretsmanager.New(w) }
