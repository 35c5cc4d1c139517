package config

import (
	"fmt"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// checkComments looks at the repositories whose pull requests take commands.
func (d *decoder) checkComments(g *GitHub) {
	if len(g.Comments) == 0 {
		return
	}
	if !g.WebhookSecret.given || !g.Token.given && g.App == nil {
		d.problem(d.at("github.comments"), "github.comments needs github.webhookSecret, and github.token or github.app", "comments come by the webhook, and are answered through the API")
	}
	for i, glob := range g.Comments {
		at := fmt.Sprintf("github.comments[%d]", i)
		if strings.Count(glob, "/") != 1 || strings.HasPrefix(glob, "/") || strings.HasSuffix(glob, "/") || (&workflows.Patterns{Includes: []string{glob}}).Check() != nil {
			d.problem(d.at(at), at+" must be OWNER/NAME", "for example acme/webshop, or acme/* for all of an owner")
		}
	}
}
