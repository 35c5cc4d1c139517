package config

// on is a switch that is on unless the file says otherwise.
func on(given *bool) bool { return given == nil || *given }

// ShowsDeployments says whether deployments are kept on GitHub.
func (g *GitHub) ShowsDeployments() bool { return on(g.Deployments) }
