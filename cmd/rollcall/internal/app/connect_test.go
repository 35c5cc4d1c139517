package app

import "testing"

// Where GitHub's pages are follows from where its API is, for all who run GitHub;
// of an address of another form nothing is guessed.
func TestWebPages(t *testing.T) {
	for api, want := range map[string]string{
		"":                                    "https://github.com/",
		"https://api.github.com/":             "https://github.com/",
		"https://github.acme.example/api/v3/": "https://github.acme.example/",
		"https://github.acme.example:8443/api/v3": "https://github.acme.example:8443/",
		"https://api.acme.ghe.com":                "https://acme.ghe.com/",
		"http://127.0.0.1:4000/":                  "http://127.0.0.1:4000/",
		"http://127.0.0.1:4000/github/":           "",
		"nonsense":                                "",
	} {
		if got := webPages(api); got != want {
			t.Errorf("%q: %q, want %q", api, got, want)
		}
	}
}
