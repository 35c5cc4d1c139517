package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// Each installation is asked with a token of its own, also when many begin at once.
func TestEachInstallationHasItsOwnToken(t *testing.T) {
	var mu sync.Mutex
	minted := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := strings.CutPrefix(r.URL.Path, "/api/v3/app/installations/"); ok {
			id = strings.TrimSuffix(id, "/access_tokens")
			mu.Lock()
			minted[id]++
			mu.Unlock()
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"token":"of-%s","expires_at":%q}`, id, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			return
		}
		if want := "token of-" + strings.TrimPrefix(r.URL.Path, "/api/v3/repos/acme/"); r.Header.Get("Authorization") != want {
			t.Errorf("%s was asked with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		fmt.Fprint(w, `{}`)
	}))
	defer srv.Close()
	all, err := NewInstallations(srv.URL+"/api/v3", App{ID: 1, PrivateKey: githubfake.PrivateKey()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			id := int64(7 + n%2)
			c, err := all.Client(id)
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, err := c.Repositories.Get(t.Context(), "acme", fmt.Sprint(id)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if minted["7"] != 1 || minted["8"] != 1 || len(minted) != 2 {
		t.Errorf("tokens were made %v", minted)
	}
}

func TestInstallationsRefuseWhatCannotWork(t *testing.T) {
	var p *workflows.Problem
	if _, err := NewInstallations("", App{ID: 1, PrivateKey: []byte("none")}, nil); !errors.As(err, &p) || p.Field != "github.app.privateKey" {
		t.Errorf("a key that is none: %v", err)
	}
	if _, err := NewInstallations("ftp://x", App{ID: 1, PrivateKey: githubfake.PrivateKey()}, nil); !errors.As(err, &p) || p.Field != "github.apiURL" {
		t.Errorf("an address that is none: %v", err)
	}
	all, err := NewInstallations("", App{ID: 1, PrivateKey: githubfake.PrivateKey()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Client(0); !errors.As(err, &p) || p.Hint == "" {
		t.Errorf("no installation: %v", err)
	}
}
