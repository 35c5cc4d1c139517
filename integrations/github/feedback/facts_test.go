package feedback

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
	"github.com/rollcall-bot/rollcall/integrations/wire/wirefake"
	"github.com/rollcall-bot/rollcall/workflows"
)

// askingGitHub runs a test with a follower that looks facts up, in virtual time.
func askingGitHub(t *testing.T, test func(t *testing.T, w *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &stage{world: newWorld(), hub: githubfake.New(githubfake.Options{Token: token}), log: &bytes.Buffer{}}
		f, err := NewFacts(Options{APIURL: "http://github.test/", Token: token, Reader: w.world, Submitter: w.world, Notes: w.world, Transport: wirefake.Direct(w.hub), Log: slog.New(slog.NewTextHandler(w.log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		w.lane = &lane{follow: f.Follow, world: w.world}
		test(t, w)
	})
}

// facts is what is noted on an execution about Production.
func (w *stage) facts(number int) string {
	for _, n := range w.all[idOf(number)].Notes {
		if n.Name == "facts/Production" {
			return n.Text
		}
	}
	return ""
}

// atGate has an execution wait for approval with a tag, and images that it has built.
func atGate(tag string, digests ...string) func(*workflows.Execution) {
	return func(e *workflows.Execution) {
		begin(e)
		e.SourceRevisions[0].Tag = tag
		enter("Build")(e)
		for i, digest := range digests {
			a := workflows.ActionExecution{Name: fmt.Sprint("Image", i), OutputVariables: map[string]string{"imageDigest": digest, "imageName": "shop"}}
			in(e, "Build").Actions = append(in(e, "Build").Actions, a)
		}
		succeed("Build")(e)
		enter("Production")(e)
		ask(e)
	}
}

func TestFactsForAnApproval(t *testing.T) {
	const attested = "image shop (sha256:aaaaaaaaaaaa) is attested by build.yml@main, not verified here"
	sha := strings.Repeat("0001", 10)
	for name, c := range map[string]struct {
		hub   func(s *githubfake.Server)
		waits func(*workflows.Execution)
		want  string
		calls int
	}{
		"attested": {func(s *githubfake.Server) {
			s.Attest("acme/webshop", digestA, ".github/workflows/build.yml", "refs/heads/main")
		}, atGate("", digestA), attested, 1},
		"attested by a workflow of elsewhere": {func(s *githubfake.Server) {
			s.Attest("acme/ci", digestA, ".github/workflows/build.yml", "refs/tags/v3")
		}, atGate("", digestA), "image shop (sha256:aaaaaaaaaaaa) is attested by acme/ci/build.yml@v3, not verified here", 1},
		"attested by several": {func(s *githubfake.Server) {
			for _, name := range []string{"a", "a", "b", "c", "d"} {
				s.Attest("acme/webshop", digestA, name+".yml", "refs/heads/main")
			}
		}, atGate("", digestA), "image shop (sha256:aaaaaaaaaaaa) is attested by a.yml@main and b.yml@main and 2 more, not verified here", 1},
		"not attested":         {func(*githubfake.Server) {}, atGate("", digestA), "", 1},
		"no image, no tag":     {func(*githubfake.Server) {}, atGate(""), "", 0},
		"no digest":            {func(*githubfake.Server) {}, atGate("", "latest"), "", 0},
		"immutable release":    {func(s *githubfake.Server) { s.Release("acme/webshop", "v2.3.1", true) }, atGate("v2.3.1"), "release v2.3.1 is immutable", 1},
		"a tag with a slash":   {func(s *githubfake.Server) { s.Release("acme/webshop", "shop/v1", true) }, atGate("shop/v1"), "release shop/v1 is immutable", 1},
		"release that may go":  {func(s *githubfake.Server) { s.Release("acme/webshop", "v1", false); s.Tag("acme/webshop", "v1", sha) }, atGate("v1"), "tag v1 may move", 2},
		"tag alone":            {func(s *githubfake.Server) { s.Tag("acme/webshop", "v1", sha) }, atGate("v1"), "tag v1 may move", 2},
		"tag that has moved":   {func(s *githubfake.Server) { s.Tag("acme/webshop", "v1", strings.Repeat("ab", 20)) }, atGate("v1"), "tag v1 has moved to abababa since", 2},
		"tag that is not seen": {func(*githubfake.Server) {}, atGate("v1"), "", 2},
		"both": {func(s *githubfake.Server) {
			s.Attest("acme/webshop", digestA, ".github/workflows/build.yml", "refs/heads/main")
			s.Release("acme/webshop", "v2.3.1", true)
		}, atGate("v2.3.1", digestA), attested + "; release v2.3.1 is immutable", 2},
		"more images than are asked about": {func(s *githubfake.Server) {
			s.Attest("acme/webshop", digestA, ".github/workflows/build.yml", "refs/heads/main")
		}, atGate("", digestA, digestB, "sha256:"+strings.Repeat("c", 64), "sha256:"+strings.Repeat("d", 64), "sha256:"+strings.Repeat("e", 64)),
			attested + "; GitHub was not asked about 2 more images", 3},
		"words that steer": {func(s *githubfake.Server) {
			s.Attest("acme/webshop", digestA, ".github/workflows/\x1b[31mb\u202euild.yml", "refs/heads/"+strings.Repeat("m", 500))
		}, atGate("", digestA), "image shop (sha256:aaaaaaaaaaaa) is attested by build.yml@" + strings.Repeat("m", 69) + "…, not verified here", 1},
	} {
		t.Run(name, func(t *testing.T) {
			askingGitHub(t, func(t *testing.T, w *stage) {
				c.hub(w.hub)
				w.do(t, begin, 1)
				w.do(t, c.waits, 1)
				w.do(t, func(*workflows.Execution) {}, 1) // asked once
				if w.facts(1) != c.want || w.hub.Calls() != c.calls {
					t.Errorf("after %d calls, not %d, it says\n%q, not\n%q\n%s", w.hub.Calls(), c.calls, w.facts(1), c.want, w.log)
				}
			})
		})
	}
}

// A GitHub that knows no immutable releases says nothing about one, and what is no
// statement of a workflow about this image says nothing about it.
func TestWhatSaysNothingIsNoFact(t *testing.T) {
	other := `{"predicateType":"https://slsa.dev/provenance/v1","subject":[{"digest":{"sha256":"` + strings.Repeat("b", 64) + `"}}],"predicate":{"buildDefinition":{"externalParameters":{"workflow":{"ref":"refs/heads/main","repository":"https://github.com/acme/webshop","path":"b.yml"}}}}}`
	for _, payload := range []string{other, strings.Replace(other, "provenance", "sbom", 1), strings.Replace(other, `"b.yml"`, "7", 1), strings.ReplaceAll(other, strings.Repeat("b", 64), "x"), "[]", "{}", "no json"} {
		askingGitHub(t, func(t *testing.T, w *stage) {
			w.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/releases/", Status: 200, Body: `{"id":1}`},
				fault.Fault{Match: "GET /repos/acme/webshop/attestations/", Status: 200, Body: fmt.Sprintf(`{"attestations":[{},{"bundle":null},{"bundle":{"dsseEnvelope":{"payload":%s}}}]}`, base64JSON(payload))})
			w.do(t, atGate("v1", digestA), 1)
			if w.facts(1) != "" || strings.Contains(w.log.String(), "WARN") {
				t.Errorf("%s: it says %q\n%s", payload, w.facts(1), w.log)
			}
		})
	}
	askingGitHub(t, func(t *testing.T, w *stage) { // the same, about this image
		w.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/attestations/", Status: 200,
			Body: fmt.Sprintf(`{"attestations":[{"bundle":{"dsseEnvelope":{"payload":%s}}}]}`, base64JSON(strings.ReplaceAll(other, strings.Repeat("b", 64), strings.Repeat("a", 64))))})
		if w.do(t, atGate("", digestA), 1); !strings.Contains(w.facts(1), "b.yml@main") {
			t.Errorf("it says %q", w.facts(1))
		}
	})
}

// What GitHub does not answer is asked again a few times, while the gate is open; then
// the gate does without it, and keeps what is known.
func TestFactsThatGitHubDoesNotAnswer(t *testing.T) {
	askingGitHub(t, func(t *testing.T, w *stage) {
		w.hub.Attest("acme/webshop", digestA, ".github/workflows/build.yml", "refs/heads/main")
		w.hub.Release("acme/webshop", "v1", true)
		w.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/attestations/", Status: 500, Times: 2})
		w.do(t, atGate("v1", digestA), 1)
		w.lane.run(t, 5*time.Minute)
		if got := w.facts(1); !strings.Contains(got, "attested") || !strings.Contains(got, "immutable") {
			t.Errorf("after two failures it says %q", got)
		}
		w.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/attestations/", Hang: true})
		start := time.Now()
		w.change(2, atGate("v1", digestA))
		if err := w.lane.call(t); err != nil || time.Since(start) > factsWithin+time.Second {
			t.Errorf("it was asked for %s: %v", time.Since(start), err)
		}
		w.lane.run(t, time.Hour)
		calls := w.hub.Calls()
		w.lane.run(t, time.Hour)
		if got := w.facts(2); got != "release v1 is immutable" || w.hub.Calls() != calls || strings.Count(w.log.String(), "asked in vain") != 1 {
			t.Errorf("it says %q, after %d calls more\n%s", got, w.hub.Calls()-calls, w.log)
		}
		w.hub.Faults.Set(fault.Fault{Status: 500})
		w.do(t, atGate("v1", digestA), 3)
		w.do(t, approve("Ana"), 3)
		w.lane.run(t, time.Minute)
		w.hub.Faults.Set()
		calls = w.hub.Calls()
		w.lane.run(t, time.Hour)
		if _, queued := w.memos["queue/webshop"]; queued || w.facts(3) != "" || w.hub.Calls() != calls {
			t.Errorf("of a gate that is closed it says %q, queued: %v", w.facts(3), queued)
		}
	})
}

// A missing permission is said once and takes nothing else away.
func TestFactsWithoutThePermission(t *testing.T) {
	askingGitHub(t, func(t *testing.T, w *stage) {
		w.hub.Attest("acme/webshop", digestA, ".github/workflows/build.yml", "refs/heads/main")
		w.hub.Release("acme/webshop", "v1", true)
		w.hub.Faults.Set(fault.Fault{Match: "GET /repos/acme/webshop/attestations/", Status: 403, Body: `{"message":"Resource not accessible by personal access token"}`})
		w.do(t, atGate("v1", digestA), 1)
		calls := w.hub.Calls()
		w.do(t, atGate("v1", digestA), 2)
		if w.facts(1) != "release v1 is immutable" || w.facts(2) != w.facts(1) || w.hub.Calls() != calls+1 {
			t.Errorf("it says %q and %q, after %d calls more", w.facts(1), w.facts(2), w.hub.Calls()-calls)
		}
		if log := w.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "Attestations: read") || strings.Contains(log, token) {
			t.Errorf("the log says\n%s", log)
		}
		w.hub.Faults.Set()
		time.Sleep(factsAgain)
		if w.do(t, atGate("", digestA), 3); !strings.Contains(w.facts(3), "attested") {
			t.Errorf("after it was granted it says %q", w.facts(3))
		}
	})
}

// What an execution brings can change before it asks again: then the old facts are
// taken back. A rollback asks about the image that it brings back.
func TestFactsFollowTheImage(t *testing.T) {
	askingGitHub(t, func(t *testing.T, w *stage) {
		w.hub.Attest("acme/webshop", digestA, ".github/workflows/build.yml", "refs/heads/main")
		w.do(t, atGate("", digestA), 1)
		w.do(t, func(e *workflows.Execution) {
			in(e, "Build").Actions[1].OutputVariables = map[string]string{"imageDigest": digestB}
		}, 1)
		if got := w.facts(1); got != "nothing is known about what it brings now" {
			t.Errorf("of another image it says %q", got)
		}
		w.do(t, atGate("", digestA), 2)
		w.do(t, func(e *workflows.Execution) { rollback(2, "Production")(e); enter("Production")(e); ask(e) }, 3)
		if got := w.facts(3); !strings.Contains(got, "attested by build.yml@main") {
			t.Errorf("of a rollback it says %q", got)
		}
	})
}

// Killed between what was noted and what is remembered, it notes the same once more, or never twice.
func TestFactsAreNotedOnce(t *testing.T) {
	for kill := 1; kill < 8; kill++ {
		askingGitHub(t, func(t *testing.T, w *stage) {
			w.hub.Release("acme/webshop", "v1", true)
			n := 0
			w.broken = func() error {
				if n++; n == kill {
					return errPower
				}
				return nil
			}
			w.change(1, atGate("v1"))
			for range 3 {
				w.lane.run(t, time.Minute) // the next process goes on
			}
			noted := 0
			for _, note := range w.all[idOf(1)].Notes {
				if note.Name == "facts/Production" {
					noted++
				}
			}
			if w.facts(1) != "release v1 is immutable" || noted != 1 {
				t.Errorf("killed at %d: %d notes, %q", kill, noted, w.facts(1))
			}
		})
	}
}

// base64JSON is a text as JSON carries bytes.
func base64JSON(text string) string {
	raw, err := json.Marshal(base64.StdEncoding.EncodeToString([]byte(text)))
	if err != nil {
		panic(err)
	}
	return string(raw)
}
