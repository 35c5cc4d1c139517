package workflows

import (
	"cmp"
	"slices"
)

// Bring records a revision in the place of its action's. What the trigger said of
// the same one (logins, the authors of further commits, which git does not know)
// is kept. The list is replaced, not written.
func (e *Execution) Bring(r SourceRevision) { e.SourceRevisions = withRevision(e.SourceRevisions, r) }

func withRevision(revisions []SourceRevision, r SourceRevision) []SourceRevision {
	revisions = slices.Clone(revisions)
	if i := slices.IndexFunc(revisions, func(o SourceRevision) bool { return o.ActionName == r.ActionName }); i >= 0 {
		revisions[i] = known(revisions[i], r)
		return revisions
	}
	return append(revisions, r)
}

// known is a revision as its source fetched it, with what the trigger said of
// the same one: logins and the authors of further commits, which git does not know.
func known(said, r SourceRevision) SourceRevision {
	r.ObjectKey = cmp.Or(r.ObjectKey, said.ObjectKey)
	if said.RevisionID != r.RevisionID {
		return r
	}
	r.AnyBranch, r.Type = said.AnyBranch || r.AnyBranch, cmp.Or(r.Type, said.Type)
	r.Tag = cmp.Or(r.Tag, said.Tag)
	if r.RevisionURL == "" {
		r.RevisionURL = said.RevisionURL
	}
	r.Authors = said.Authors
	switch {
	case said.Author == nil:
	case r.Author == nil:
		r.Author = said.Author
	case foldMail(r.Author.Email) != foldMail(said.Author.Email):
		r.Authors = append(slices.Clone(said.Authors), *said.Author)
	case r.Author.Login == "":
		author := *r.Author
		author.Login = said.Author.Login
		r.Author = &author
	}
	return r
}
