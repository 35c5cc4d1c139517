package awsfake

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
)

func openCodeBuild(w *api.World) api.Service { return codebuild.New(w) }

// CodeBuild is CodeBuild of an account in a region.
func (s *Server) CodeBuild(account, region string) *codebuild.Service {
	return At[*codebuild.Service](s, account, region)
}
