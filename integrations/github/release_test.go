package github

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// Putting a release twice makes one: a draft unless it is published, whose text is replaced.
func TestPutRelease(t *testing.T) {
	fake := githubfake.New(githubfake.Options{Token: "t"})
	server := httptest.NewServer(fake)
	defer server.Close()
	sha := strings.Repeat("a", 40)
	put := func(body string, publish bool) (string, bool, error) {
		return PutRelease(t.Context(), ReleaseOptions{APIURL: server.URL, Token: "t"}, Release{Repository: "acme/webshop", Tag: "v1.2", Target: sha, Title: "webshop 1.2", Body: body, Publish: publish})
	}
	for _, c := range []struct {
		body           string
		publish, draft bool
	}{{"one", false, true}, {"two", false, true}, {"three", true, false}, {"four", false, false}, {strings.Repeat("x", 200000), false, false}} {
		page, draft, err := put(c.body, c.publish)
		all := fake.Releases()
		if err != nil || draft != c.draft || len(all) != 1 || !strings.HasPrefix(all[0].Body, c.body[:min(len(c.body), 10)]) || all[0].Tag != "v1.2" || all[0].Target != sha || all[0].Name != "webshop 1.2" || page != all[0].Page {
			t.Errorf("%.5s: %s, draft %v, %v, %d releases", c.body, page, draft, err, len(all))
		}
	}
	if !strings.Contains(fake.Releases()[0].Body, "Too long for GitHub") {
		t.Error("a text that is cut does not say so")
	}
	for status, want := range map[int]string{401: "make a new one", 403: `permission "Contents: write"`, 404: "check the repository's name", 422: "does not take the release"} {
		fake.Faults.Set(fault.Fault{Status: status})
		if _, _, err := put("x", false); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "acme/webshop") {
			t.Errorf("%d: %v", status, err)
		}
	}
	if _, _, err := PutRelease(t.Context(), ReleaseOptions{APIURL: server.URL, Token: "t"}, Release{Repository: "x/../y", Tag: "v1"}); err == nil {
		t.Error("a repository that is none")
	}
}
