package jira

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/jira/jirafake"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// Which of the keys that people mention are issues: on Cloud and on a server, few
// and many, with keys that Jira never heard of, and with issues that its search
// does not find yet. Many need few calls.
func TestWhichIssuesThereAre(t *testing.T) {
	for _, c := range []struct {
		name       string
		onPremise  bool
		lag        time.Duration
		real, fake int
		calls      int // at most
	}{
		{"none", false, 0, 0, 0, 0},
		{"one", false, 0, 1, 0, 1},
		{"one that is none", true, 0, 0, 1, 1},
		{"three of five", false, 0, 3, 2, 5},
		{"40 on Cloud", false, 0, 40, 0, 1},
		{"40 on a server", true, 0, 40, 0, 2},
		{"100 on Cloud, three others", false, 0, 100, 3, 8},
		{"none of 30", false, 0, 0, 30, 30},
		{"new ones, which a search does not find", false, time.Hour, 8, 0, 9},
	} {
		fake := jirafake.New(jirafake.Options{OnPremise: c.onPremise, SearchLag: c.lag, Token: "t", User: "bot"})
		server := httptest.NewServer(fake)
		asks, err := newPacedClient(site{url: server.URL, user: "bot", token: "t"}, nil, wire.Pacing{})
		if err != nil {
			t.Fatal(err)
		}
		i := &Issues{client: asks}
		var keys, want []string
		for n := range max(c.real, c.fake) {
			if n < c.fake {
				keys = append(keys, fmt.Sprint("UTF-", n+1))
			}
			if n < c.real {
				key := fake.Open("OPS", "Bug", fmt.Sprint("Issue ", n))
				keys, want = append(keys, key), append(want, key)
			}
		}
		began := len(fake.Calls())
		got, err := i.Issues(t.Context(), keys, 100)
		var found []string
		for _, issue := range got.Issues {
			found = append(found, issue.Key)
			if !strings.HasPrefix(issue.Summary, "Issue ") || issue.Type != "Bug" || issue.URL != server.URL+"/browse/"+issue.Key {
				t.Errorf("%s: %+v", c.name, issue)
			}
		}
		if calls := len(fake.Calls()) - began; err != nil || calls != got.Calls || len(got.Asked) != len(keys) || strings.Join(found, " ") != strings.Join(want, " ") || calls > c.calls {
			t.Errorf("%s: %v after %d calls (at most %d), %v", c.name, found, calls, c.calls, err)
		}
		server.Close()
	}
}

// A Jira that does not answer, or does not take the login, is no Jira without issues.
func TestIssuesOfAJiraThatIsAway(t *testing.T) {
	fake := jirafake.New(jirafake.Options{Token: "t", User: "bot"})
	server := httptest.NewServer(fake)
	defer server.Close()
	for _, token := range []string{"wrong", "t"} {
		fake.Faults.Set(fault.Fault{Status: 403})
		if token == "wrong" {
			fake.Faults.Set()
		}
		i, err := NewIssues(IssuesOptions{URL: server.URL, User: "bot", Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := i.Issues(t.Context(), []string{"OPS-1", "not a key/../x"}, 50); err == nil || len(got.Issues) != 0 || slices.Contains(got.Asked, "OPS-1") || !strings.HasPrefix(err.Error(), "ask Jira about issues: ") {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// An issue that Jira does not show to this login is left out, and hides no other.
func TestAnIssueThatIsNotForUs(t *testing.T) {
	fake := jirafake.New(jirafake.Options{OnPremise: true, Token: "t", User: "bot"})
	server := httptest.NewServer(fake)
	defer server.Close()
	ours, theirs := fake.Open("OPS", "Bug", "Ours"), fake.Open("OPS", "Bug", "Theirs")
	fake.Faults.Set(fault.Fault{Match: "GET /rest/api/2/issue/" + theirs, Status: 403}, fault.Fault{Match: "/rest/api/2/search", Status: 400})
	i, err := NewIssues(IssuesOptions{URL: server.URL, User: "bot", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := i.Issues(t.Context(), []string{theirs, ours}, 50); err != nil || len(got.Issues) != 1 || got.Issues[0].Key != ours || len(got.Asked) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A question has a budget of calls: what is left open is not called unknown to Jira.
// Keys of projects that are not allowed cost no call, and show no title.
func TestAQuestionsBudget(t *testing.T) {
	fake := jirafake.New(jirafake.Options{Token: "t", User: "bot", Projects: []string{"OPS", "SECRET"}, SearchLag: time.Hour})
	server := httptest.NewServer(fake)
	defer server.Close()
	var keys []string
	for range 8 {
		keys = append(keys, fake.Open("OPS", "Bug", "Ours"))
	}
	keys = append(keys, fake.Open("SECRET", "Bug", "We buy Acme"))
	i, err := NewIssues(IssuesOptions{URL: server.URL, User: "bot", Token: "t", Projects: []string{"OPS"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := i.Issues(t.Context(), keys, 4); err != nil || got.Calls != 4 || len(got.Issues) != 3 || len(got.Asked) != 4 || !slices.Contains(got.Asked, "SECRET-1") {
		t.Errorf("in four calls: %+v, %v", got, err)
	}
	if got, err := i.Issues(t.Context(), keys, 50); err != nil || got.Calls != 9 || len(got.Issues) != 8 || len(got.Asked) != 9 {
		t.Errorf("in as many as needed: %+v, %v", got, err)
	}
	for _, call := range fake.Calls() {
		if strings.Contains(call, "SECRET") {
			t.Error(call)
		}
	}
}
