package source_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/source"
)

// Wherever the address of a clone says who serves the repository, its pages are known.
func TestPages(t *testing.T) {
	for _, c := range []struct{ address, compare, commit string }{
		{"https://github.com/acme/shop.git", "https://github.com/acme/shop/compare/a1...b2", "https://github.com/acme/shop/commit/b2"},
		{"https://git.example/acme/shop/", "https://git.example/acme/shop/compare/a1...b2", "https://git.example/acme/shop/commit/b2"},
		{"git@github.com:acme/shop.git", "https://github.com/acme/shop/compare/a1...b2", "https://github.com/acme/shop/commit/b2"},
		{"https://gitlab.com/acme/web/shop.git", "https://gitlab.com/acme/web/shop/-/compare/a1...b2", "https://gitlab.com/acme/web/shop/-/commit/b2"},
		{"https://gitlab.acme.example:8443/web/shop", "https://gitlab.acme.example:8443/web/shop/-/compare/a1...b2", "https://gitlab.acme.example:8443/web/shop/-/commit/b2"},
		{"ssh://git@gitlab.com/acme/shop.git", "https://gitlab.com/acme/shop/-/compare/a1...b2", "https://gitlab.com/acme/shop/-/commit/b2"},
		{"https://bitbucket.org/acme/shop.git", "https://bitbucket.org/acme/shop/branches/compare/b2%0Da1", "https://bitbucket.org/acme/shop/commits/b2"},
		{"git@bitbucket.org:acme/shop.git", "https://bitbucket.org/acme/shop/branches/compare/b2%0Da1", "https://bitbucket.org/acme/shop/commits/b2"},
		{"https://code.acme.example/scm/shop/web.git", "https://code.acme.example/projects/shop/repos/web/compare/commits?sourceBranch=b2&targetBranch=a1", "https://code.acme.example/projects/shop/repos/web/commits/b2"},
		{"https://code.acme.example/git/scm/~ana/web.git", "https://code.acme.example/git/users/ana/repos/web/compare/commits?sourceBranch=b2&targetBranch=a1", "https://code.acme.example/git/users/ana/repos/web/commits/b2"},
		{"https://git.example/shop.git", "", ""},
		{"git@git.acme.example:acme/shop.git", "", ""},
		{"file:///srv/git/acme/shop.git", "", ""},
		{"/srv/git/acme/shop.git", "", ""},
		{"", "", ""},
	} {
		page := source.Page(c.address)
		if got := source.Compare(page, "a1", "b2"); got != c.compare {
			t.Errorf("%s: compare %q, want %q", c.address, got, c.compare)
		}
		if got := source.Commit(page, "b2"); got != c.commit {
			t.Errorf("%s: commit %q, want %q", c.address, got, c.commit)
		}
	}
}
