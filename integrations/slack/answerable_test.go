package slack

import "testing"

// T13: an address that a request brings along is posted to when it is Slack's,
// or of the host that we ask anyway, and to no other.
func TestResponseURLsOfSlackOnly(t *testing.T) {
	for api, addresses := range map[string]map[string]bool{
		"": {
			"https://hooks.slack.com/commands/T1/2/abc": true,
			"https://slack.com/response/1":              true,
			"http://hooks.slack.com/commands/T1/2/abc":  false,
			"https://hooks.slack.com:8443/x":            false,
			"https://hooks.slack.com.evil.example/x":    false,
			"https://hooks.slack.com@evil.example/x":    false,
			"https://user@hooks.slack.com/x":            false,
			"https://evil.example/hooks.slack.com":      false,
			"https://HOOKS.slack.com.:443/x":            false,
			"http://169.254.169.254/latest/meta-data/":  false,
			"http://127.0.0.1:8484/api/v1/executions":   false,
			"//hooks.slack.com/x":                       false,
			"hooks.slack.com/x":                         false,
			"file:///etc/passwd":                        false,
			"https://hooks.slack.com\\@evil.example/x":  false,
			"https://xn--hooks-slack-9za.com/x":         false,
		},
		"http://127.0.0.1:9000/api": {
			"http://127.0.0.1:9000/response/1":          true,
			"https://hooks.slack.com/commands/T1/2/abc": true,
			"http://127.0.0.1:9001/response/1":          false,
			"https://127.0.0.1:9000/response/1":         false,
			"http://localhost:9000/response/1":          false,
		},
	} {
		c := New(Options{APIURL: api})
		for address, want := range addresses {
			if got := c.answerable(address); got != want {
				t.Errorf("with the API at %q, %q: %t", api, address, got)
			}
		}
	}
}
