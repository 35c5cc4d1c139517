package github

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/githubfake"
	"github.com/rollcall-bot/rollcall/integrations/wire/fault"
)

// deliverAs hands any event over and returns the answer.
func (d *desk) deliverAs(event string, payload []byte) (status int, answer string) {
	d.n++
	r := request(string(payload), event)
	r.Header.Set("X-GitHub-Delivery", fmt.Sprint("d-", d.n))
	r.URL.Path = webhookPath
	w := httptest.NewRecorder()
	d.hook.Handler().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func v1() githubfake.ReleaseEvent {
	return githubfake.ReleaseEvent{Repository: "acme/webshop", Tag: "v1", ID: 7, Author: "ana-dev"}
}

func TestTheCommitOfAReleaseIsLookedUp(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		d.hub.Tag("acme/webshop", "v1", sha)
		d.hub.Faults.Set(fault.Fault{Status: 502, Times: 3})
		if status, _ := d.deliverAs("release", v1().Payload()); status != 202 {
			t.Errorf("answer %d", status)
		}
		if status, _ := d.deliver(t, cart()); status != 202 { // does not wait for it
			t.Errorf("answer %d", status)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(d.e.changes) != 2 {
			t.Fatalf("changes %+v", d.e.changes)
		}
		for _, c := range d.e.changes {
			if c.Event == "release" && (c.Commit != sha || c.Tag != "v1" || c.By.Name != "ana-dev") {
				t.Errorf("change %+v", c)
			}
		}
	})
}

// Git is asked before the API; a tag that appears late is found, also by the next
// process; one that never does leaves a change without a commit.
func TestTagsThatAppearLate(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		d.deliverAs("release", v1().Payload())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(d.e.changes) != 0 {
			t.Fatalf("changes %+v", d.e.changes)
		}
		stop := d.start(t)
		defer stop()
		d.e.mu.Lock()
		d.e.tags = map[string]string{"v1": sha}
		d.e.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(d.e.changes) == 0 || d.e.changes[0].Commit != sha {
			t.Fatalf("changes %+v", d.e.changes)
		}
		before := len(d.e.changes)
		other := v1()
		other.Tag = "v2"
		d.deliverAs("release", other.Payload())
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if len(d.e.changes) == before || d.e.changes[before].Commit != "" || d.e.changes[before].Tag != "v2" {
			t.Errorf("changes %+v", d.e.changes[before:])
		}
	})
}

func TestEventsThatNobodyWaitsForLeaveNoTrace(t *testing.T) {
	play(t, func(t *testing.T, d *desk) {
		d.e.deaf = true
		status, answer := d.deliverAs("release", v1().Payload())
		if status != 200 || !strings.Contains(answer, "release: no pipeline waits for this event of acme/webshop") || len(d.e.receipts) != 0 {
			t.Errorf("answer %d %s, %d receipts", status, answer, len(d.e.receipts))
		}
	})
}
