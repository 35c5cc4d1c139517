package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// say delivers a push and returns the answer.
func (d *desk) say(t *testing.T, p githubfake.Push) (status int, answer string) {
	t.Helper()
	d.n++
	r := request(string(p.Payload()), "push")
	r.Header.Set("X-GitHub-Delivery", fmt.Sprint("d-", d.n))
	r.URL.Path = webhookPath
	w := httptest.NewRecorder()
	d.hook.Handler().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func id(n int) string { return fmt.Sprintf("%040x", n) }

// moved is a push from one commit to another.
func moved(repository string, before, after int) githubfake.Push {
	p := push()
	p.Repository, p.Before, p.Commit = repository, id(before), id(after)
	return p
}

// C8: the receipt is durable before anything is looked up. What is known within a
// second is the answer; what takes longer is carried out later, and nobody waits for it.
func TestThePushIsAcknowledgedBeforeItsFilesAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		takes  time.Duration
		answer string
	}{
		"at once": {0, `{"started":["id-1"],"ignored":["docs: branch main does not match"]}`},
		"slow":    {time.Minute, `{"started":[],"ignored":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, d *desk) {
				d.e.diff = func(work.Change) ([]string, error) {
					if r := d.e.receipts["github/d-1"]; r.Done || len(r.Payload) == 0 {
						t.Errorf("when the files are looked up, the receipt is %+v", r)
					}
					d.e.mu.Unlock()
					time.Sleep(c.takes)
					d.e.mu.Lock()
					return []string{"src/cart.go"}, nil
				}
				began := time.Now()
				status, answer := d.say(t, moved("acme/webshop", 1, 2))
				if status != 202 || answer != c.answer || time.Since(began) > waitFor {
					t.Errorf("after %s: %d %s", time.Since(began), status, answer)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if len(d.e.changes) != 1 || !slices.Equal(d.e.changes[0].Files, []string{"src/cart.go"}) || !d.e.receipts["github/d-1"].Done {
					t.Errorf("changes %+v", d.e.changes)
				}
			})
		})
	}
}

// C8: in a repository pushes are carried out as they came; another repository does not wait for it.
func TestPushesAreCarriedOutInOrder(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		away := true
		d.e.diff = func(c work.Change) ([]string, error) {
			if away && c.Repository == "acme/webshop" {
				return nil, errors.New("connection refused")
			}
			return []string{"src/a"}, nil
		}
		for n := range 3 {
			d.say(t, moved("acme/webshop", n+1, n+2))
			d.say(t, moved("acme/docs", n+1, n+2))
		}
		order := func() (all []string) {
			for _, c := range d.e.changes {
				all = append(all, strings.TrimLeft(c.Repository+" "+c.Commit[38:], "0"))
			}
			return all
		}
		synctest.Wait()
		if want := []string{"acme/docs 02", "acme/docs 03", "acme/docs 04"}; !slices.Equal(order(), want) {
			t.Errorf("while one is away: %v, want %v", order(), want)
		}
		d.e.mu.Lock() // which is held while a difference is asked for
		away = false
		d.e.mu.Unlock()
		time.Sleep(2 * longestPause)
		synctest.Wait()
		if want := []string{"acme/webshop 02", "acme/webshop 03", "acme/webshop 04"}; !slices.Equal(order()[3:], want) {
			t.Errorf("afterwards: %v, want %v", order(), want)
		}
	})
}

// C8: a difference that cannot be had stays unknown, and the engine starts rather than not; the delivery's own list does for a push that takes nothing away.
func TestADifferenceThatCannotBeHad(t *testing.T) {
	for name, c := range map[string]struct {
		forced bool
		diff   error
		hub    fault.Fault
		within time.Duration
		files  []string
	}{
		"forced, known nowhere":      {true, nil, fault.Fault{}, time.Second, nil},
		"forced, away for long":      {true, errors.New("connection refused"), fault.Fault{}, askFor + 2*longestPause, nil},
		"forced, GitHub is away":     {true, nil, fault.Fault{Status: http.StatusBadGateway}, askFor + 2*longestPause, nil},
		"forward, known nowhere":     {false, nil, fault.Fault{}, time.Second, []string{"cart.go"}},
		"forward, no access":         {false, &workflows.Problem{Message: "no access"}, fault.Fault{}, askFor + 2*longestPause, []string{"cart.go"}},
		"forward, GitHub says no":    {false, nil, fault.Fault{Status: http.StatusForbidden}, time.Minute, []string{"cart.go"}},
		"forced, GitHub has no such": {true, nil, fault.Fault{Status: http.StatusNotFound}, time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, d *desk) {
				d.e.diff = func(work.Change) ([]string, error) { return nil, c.diff }
				if c.hub != (fault.Fault{}) {
					d.hub.Faults.Set(c.hub)
				}
				p := moved("acme/webshop", 1, 2)
				p.Forced = c.forced
				d.say(t, p)
				time.Sleep(c.within)
				synctest.Wait()
				if len(d.e.changes) != 1 || !slices.Equal(d.e.changes[0].Files, c.files) {
					t.Errorf("changes %+v", d.e.changes)
				}
				if !strings.Contains(d.log.String(), "the changed files of a push are not known") {
					t.Error("the log does not say so")
				}
			})
		})
	}
}

// C8: where only GitHub knows a push, it is asked from both sides. The oracle is
// git's own diff: no file that differs is missing, and where nothing differs, nothing is named.
func TestGitHubIsAskedFromBothSides(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ana", "-c", "user.email=ana@acme.example"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func(file, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		git("add", "-A")
		git("commit", "-q", "-m", file)
		return git("rev-parse", "HEAD")
	}
	git("init", "-q", "-b", "main")
	one := commit("a", "1")
	two := commit("b", "1")
	three := commit("c", "1")
	git("checkout", "-q", "-b", "aside", one)
	aside := commit("d", "1")
	for i := range maxCompared {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("many", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	many := commit("e", "1")
	hub := githubfake.New(githubfake.Options{Token: token, Compare: func(base, head string) []githubfake.File {
		files := []githubfake.File{}
		for _, name := range strings.Fields(git("diff", "--no-renames", "--name-only", base+"..."+head)) {
			files = append(files, githubfake.File{Name: name, Status: "modified"})
		}
		return files
	}})
	h, err := NewWebhook(WebhookOptions{Secret: secret, Engine: &engine{}, Token: token, Transport: wirefake.Direct(hub)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, before, after string }{
		{"forward", one, three}, {"forced back", three, one}, {"forced aside", three, aside}, {"nothing", two, two},
	} {
		got, err := h.changed(t.Context(), work.Change{Event: "push", Repository: "acme/webshop", Before: c.before, Commit: c.after})
		want := strings.Fields(git("diff", "--no-renames", "--name-only", c.before, c.after))
		slices.Sort(got)
		if err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, want)
		}
	}
	if got, err := h.changed(t.Context(), work.Change{Event: "push", Repository: "acme/webshop", Before: one, Commit: many}); got != nil || err != nil {
		t.Errorf("a list that GitHub cuts: %d files, %v", len(got), err)
	}
}
