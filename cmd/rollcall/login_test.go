package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/contexts"
)

// Where a command finds the service: flags before the environment before what was
// kept. A token that was kept goes to the address it was kept for, and nowhere else.
func TestPlaceOfTheService(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	var saved contexts.Contexts
	saved.Put(contexts.Context{Name: "test", URL: "http://test", Token: "of-test"})
	saved.Put(contexts.Context{Name: "prod", URL: "http://prod", Token: "of-prod"})
	if err := saved.Write(contexts.Path()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		about              string
		flags              service
		envURL, envToken   string
		wantURL, wantToken string
	}{
		{"the latest context", service{}, "", "", "http://prod", "of-prod"},
		{"another context", service{Context: "test"}, "", "", "http://test", "of-test"},
		{"the environment", service{}, "http://env", "of-env", "http://env", "of-env"},
		{"a context by flag", service{Context: "test"}, "http://env", "of-env", "http://test", "of-test"},
		{"a flag", service{URL: "http://flag", Token: "of-flag", Context: "test"}, "http://env", "of-env", "http://flag", "of-flag"},
		{"another address", service{}, "http://env", "", "http://env", ""},
		{"another address by flag", service{URL: "http://flag", Context: "test"}, "", "", "http://flag", ""},
		{"the same address", service{}, "http://prod/", "", "http://prod/", "of-prod"},
		{"a token from the environment", service{}, "", "of-env", "http://prod", "of-env"},
	} {
		t.Setenv("ROLLCALL_URL", c.envURL)
		t.Setenv("ROLLCALL_TOKEN", c.envToken)
		at, err := c.flags.place()
		if err != nil || at.URL != c.wantURL || at.Token != c.wantToken {
			t.Errorf("%s: %s with %q, %v; want %s with %q", c.about, at.URL, at.Token, err, c.wantURL, c.wantToken)
		}
	}
}

// An address that is refused is named, but for one that may hold a password.
func TestAddressOfTheService(t *testing.T) {
	for address, says := range map[string]string{
		"rollcall.acme.example":                "rollcall.acme.example is no address of a service, such as https://rollcall.acme.example",
		"ftp://rollcall.acme.example":          "ftp://rollcall.acme.example is no address of a service, such as https://rollcall.acme.example",
		"https://ana:s3cret@rollcall.example":  "the address of a service has no user name or password in it: give it as https://rollcall.acme.example",
		"https://ana:s3cret@rollcall example/": "the address of a service has no user name or password in it: give it as https://rollcall.acme.example",
	} {
		var said bytes.Buffer
		if status := run([]string{"login", address, "--token-stdin"}, io.Discard, &said); status != 2 || strings.TrimSpace(said.String()) != "rollcall: "+says {
			t.Errorf("%s: status %d, %s", address, status, said.String())
		}
	}
}
