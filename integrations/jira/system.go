package jira

import "github.com/rollcall-bot/rollcall/integrations/wire"

// System is Jira for those who count calls: by what of the API is called.
func System() wire.System {
	return wire.System{Name: "jira", Operation: wire.ByPath("issue", "comment", "transitions", "search")}
}
