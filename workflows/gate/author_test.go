package gate_test

import (
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/gate"
)

// A push of several commits: none of their authors may approve it, also after
// the source has fetched it and says what git knows, which is only the head's author.
func TestEveryAuthorOfAPushIsInvolved(t *testing.T) {
	said := workflows.SourceRevision{ActionName: "App", RevisionID: "1a2b3c4d5e", RevisionURL: "https://github.com/acme/webshop/commit/1a2b3c4d5e",
		Author:  &workflows.Author{Email: "ana@acme.example", Login: "ana-dev"},
		Authors: []workflows.Author{{Email: "ben@home.example", Login: "ben-dev"}}}
	fetched := workflows.SourceRevision{ActionName: "App", RevisionID: "1a2b3c4d5e", Author: &workflows.Author{Name: "Ana", Email: "ana@laptop.example"}}
	e := &workflows.Execution{SourceRevisions: []workflows.SourceRevision{said}}
	e.Bring(fetched)
	for _, c := range []struct {
		who  workflows.Principal
		in   map[string]bool
		want string
	}{
		{workflows.Principal{ID: "slack:U1", Email: "Ana@Laptop.example"}, nil, "wrote 1a2b3c4d5e"},
		{workflows.Principal{ID: "slack:U1", Email: "ana@acme.example"}, nil, "wrote a part of it"},
		{workflows.Principal{ID: "slack:U2"}, map[string]bool{"github:ben-dev": true}, "wrote a part of it"},
		{workflows.Principal{ID: "slack:U3", Email: "cho@acme.example"}, map[string]bool{"github:cho": true}, ""},
	} {
		if got := gate.Involvement(e, nil, c.who, c.in); got != c.want {
			t.Errorf("%+v: %q, want %q", c.who, got, c.want)
		}
	}
	if r := e.SourceRevisions[0]; r.RevisionURL != said.RevisionURL {
		t.Errorf("the address of the commit is lost: %+v", r)
	}
	// A different revision says nothing about this one.
	e = &workflows.Execution{SourceRevisions: []workflows.SourceRevision{said}}
	e.Bring(workflows.SourceRevision{ActionName: "App", RevisionID: "ffff"})
	if r := e.SourceRevisions[0]; r.Author != nil || r.Authors != nil {
		t.Errorf("authors of another revision: %+v", r)
	}
}
