package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows"
)

// disk is a small file system of its own, in a mount namespace in which the
// service runs. Lines written to it are run there by a shell.
type disk struct {
	*fixture
	shell   io.WriteCloser
	started int // executions that the service has answered for
}

// onADisk is a service whose data folder is a file system of 24 MiB.
func onADisk(t *testing.T) *disk {
	t.Helper()
	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "none", t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("this system gives no file system of one's own: %v %s", err, out)
	}
	w := smallWorld(t, fmt.Sprintf("api: {tokens: [{name: story, token: %s, may: [view, start, stop, edit]}]}\n", token))
	w.commit("one", "One")
	w.write("pipelines/webshop.yaml", fmt.Sprintf(`
name: webshop
executionMode: PARALLEL
stages:
  - name: Source
    actions: [{name: App, provider: Git, configuration: {Repository: "file://%s", BranchName: main}, outputArtifacts: [app]}]
  - name: Ship
    actions: [{name: Ship, provider: Wait, configuration: {seconds: "0"}}]
`, w.path("git/acme/webshop.git"))[1:])
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-rm", "sh", "-c", `mkdir data && mount -t tmpfs -o size=24m none data && { "$0" serve --config rollcall.yaml & service=$!; while read -r line; do eval "$line"; done; touch enough; kill $service; wait; }`, exe)
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), "ROLLCALL_TEST_AS_SERVICE=1")
	cmd.Stdout, cmd.Stderr = w.logs, w.logs
	d := &disk{fixture: w}
	if d.shell, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.shell.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the service said:\n%s", w.read("service.log"))
		}
		w.logs.Close()
	})
	w.ready()
	return d
}

// run runs a line beside the service, and waits until it has; meanwhile is done again and again.
func (d *disk) run(line string, meanwhile ...func()) {
	d.t.Helper()
	n := len(d.read("ran"))
	if _, err := fmt.Fprintf(d.shell, "%s; echo >> ran\n", line); err != nil {
		d.t.Fatal(err)
	}
	d.until(line, func() bool {
		for _, do := range meanwhile {
			do()
		}
		return len(d.read("ran")) > n
	})
}

// ask asks the API once.
func (d *disk) ask(method, path string) (status int, retry, text string) {
	d.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+d.addr+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Retry-After"), string(b)
}

// fills keeps the disk full: what the service gives back, of a clone or a row, is
// taken at once. makesRoom ends that.
const (
	fills     = "rm -f enough; { until test -e enough; do cat /dev/zero >> data/fill; sleep 0.05; done; } 2>/dev/null & filler=$!; cat /dev/zero >> data/fill"
	makesRoom = "touch enough; wait $filler; rm data/fill"
)

// turnsReadOnly makes it like a disk that turns read-only after an error. One whose
// files are open for writing cannot be turned: the service must have closed the
// database after a commit that failed, and must not have found it again.
const turnsReadOnly = "while ! { mv data/away data/rollcall.db && mount -o remount,ro data; }; do mv data/rollcall.db data/away; sleep 0.2; done 2>/dev/null"

// starts asks for a start and says whether it was accepted; whatever else the
// service says must be a refusal that tells when to come again. Both are right on
// a full disk: a commit that fits into the database's own free pages is durable.
func (d *disk) starts(t *testing.T) bool {
	t.Helper()
	status, retry, text := d.ask(http.MethodPost, "/api/v1/pipelines/webshop/executions")
	if status == http.StatusCreated {
		d.started++
		return true
	}
	if status != http.StatusServiceUnavailable || retry == "" {
		t.Errorf("a start is answered with %d, Retry-After %q, %s", status, retry, text)
	}
	return false
}

// While its disk is full or cannot be written, the service refuses with 503 and
// when to come again, answers readers, and goes on by itself when the disk does.
// It has as many executions as it has said, or more: of a commit that failed it
// may have said that its end is not known.
func TestTheDiskFails(t *testing.T) {
	d := onADisk(t)
	const feed = "/api/v1/pipelines/webshop/executions?limit=5" // read from the file, not from memory
	for _, fault := range []struct{ name, breaks, worse, mends string }{
		{"full", fills, "", makesRoom},
		{"read-only", fills + "; mv data/rollcall.db data/away", turnsReadOnly, "mount -o remount,rw data; " + makesRoom},
		{"full again", fills, "", makesRoom},
	} {
		t.Run(fault.name, func(t *testing.T) {
			d.until("a start is accepted on a disk with room", func() bool { return d.starts(t) })
			d.until("all that was started has ended", func() bool {
				return !slices.ContainsFunc(d.executions(), func(e workflows.Execution) bool { return !e.Status.Final() })
			})
			d.run(fault.breaks)
			before := d.started
			d.until("a start is refused", func() bool { return !d.starts(t) })
			t.Logf("%d starts had room in the database", d.started-before)
			if fault.worse != "" {
				d.run(fault.worse, func() { d.starts(t) }) // until one fails, if it has found the database
				d.until("it is read again", func() bool { status, _, _ := d.ask(http.MethodGet, feed); return status == http.StatusOK })
			}
			for range 3 {
				if status, _, text := d.ask(http.MethodGet, feed); status != http.StatusOK {
					t.Errorf("a reader gets %d %s", status, text)
				}
				if d.starts(t) && fault.worse != "" {
					t.Error("a start was accepted on a disk that is read-only")
				}
			}
			d.until("it is not ready", func() bool {
				status, _, text := d.ask(http.MethodGet, "/readyz")
				return status == http.StatusServiceUnavailable && strings.Contains(text, "the data folder takes no write")
			})
			d.run(fault.mends)
			d.until("it is ready again", func() bool { status, _, _ := d.ask(http.MethodGet, "/readyz"); return status == http.StatusOK })
			d.until("a start is accepted", func() bool { return d.starts(t) })
		})
	}
	n := 0
	for _, e := range d.executions() {
		if n = max(n, e.Number); e.Pipeline != "webshop" {
			t.Errorf("%+v", e)
		}
	}
	if n < d.started {
		t.Errorf("%d executions are there, and %d were answered for", n, d.started)
	}
}
