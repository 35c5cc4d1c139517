package workflows

// IsProtection says whether the pipeline decides for an environment of GitHub Actions.
func (p *Pipeline) IsProtection() bool { return p.Protects.Repository != "" }

// SourceOf is the provider of the source action by which a revision came; ok is
// false where the definition has none of that name. Deployments of GitHub Actions
// come by none, and are GitHub's own.
func (p *Pipeline) SourceOf(r *SourceRevision) (provider string, ok bool) {
	if p.IsProtection() {
		return "GitHubDeployment", true
	}
	a, ok := p.Stages[0].Action(r.ActionName)
	if !ok {
		return "", false
	}
	return a.ActionType.Provider, true
}
