package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/demo"
)

// visit is a visitor of a demo, which is a process of its own.
type visit struct {
	t         *testing.T
	dir, addr string
	key       string
	cmd       *exec.Cmd
	out       *bufio.Reader
	errs      *bytes.Buffer
	took      time.Duration // from the start to the ready line
	home      string        // of the user who runs it: nothing of it is read or written
}

// precious is in the environment of the demo, and must be nowhere else.
const precious = "a-secret-of-the-user"

// visitDemo starts the demo in a folder and waits for its ready line.
func visitDemo(t *testing.T, dir, addr string, args ...string) *visit {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	v := &visit{t: t, dir: dir, addr: addr, errs: &bytes.Buffer{}, home: t.TempDir()}
	if err := os.WriteFile(filepath.Join(v.home, ".gitconfig"), []byte("[this is no configuration\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.cmd = demoProcess(dir, append([]string{"--listen", addr, "--data", filepath.Join(dir, "demo")}, args...)...)
	v.cmd.Env = append(v.cmd.Env, "HOME="+v.home, "XDG_CONFIG_HOME="+v.home, "TMPDIR="+v.home, "GIT_CONFIG="+filepath.Join(v.home, ".gitconfig"),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=/nowhere", "SECRET_OF_THE_USER="+precious)
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.cmd.Stderr, v.out = v.errs, bufio.NewReader(out)
	began := time.Now()
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
		if t.Failed() {
			t.Logf("the demo said: %s", v.errs)
		}
	})
	v.ready()
	v.took = time.Since(began)
	return v
}

func demoProcess(dir string, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe, append([]string{"demo"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ROLLCALL_TEST_AS_DEMO=1")
	return cmd
}

// ready reads the ready line, of a new process too.
func (v *visit) ready() {
	v.t.Helper()
	line, err := v.out.ReadString('\n')
	at, found := strings.CutPrefix(strings.TrimSpace(line), "rollcall is ready at ")
	u, parsing := url.Parse(at)
	if err != nil || !found || parsing != nil || u.Query().Get("key") == "" {
		_ = v.cmd.Wait()
		v.t.Fatalf("no ready line, but %q (%v): %s", line, err, v.errs)
	}
	v.key = u.Query().Get("key")
}

// request is what the page's JavaScript sends.
func (v *visit) request(method, path string, body any) (*http.Request, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.addr+path, in)
	if err == nil {
		req.AddCookie(&http.Cookie{Name: "rollcall-demo-" + v.addr[strings.LastIndexByte(v.addr, ':')+1:], Value: v.key})
		req.Header.Set("X-Rollcall-Demo", "1")
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

// call sends a request and reads the JSON that comes back; an error while nobody answers.
func (v *visit) call(method, path string, body, into any) error {
	req, err := v.request(method, path, body)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, data)
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	return err
}

func (v *visit) state() demo.State {
	var s demo.State
	if err := v.call(http.MethodGet, "/demo/api/state", nil, &s); err != nil {
		return demo.State{Shop: &demo.Shop{}}
	}
	return s
}

// step waits until the demo says that the visitor should do this next.
func (v *visit) step(step demo.Step, about string) demo.State {
	v.t.Helper()
	var s demo.State
	v.until(fmt.Sprintf("the step %s about %q", step, about), func() bool {
		s = v.state()
		return s.Step == step && strings.Contains(s.Next, about)
	})
	return s
}

func (v *visit) until(what string, holds func() bool) {
	v.t.Helper()
	late := time.After(testTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			s := v.state()
			v.t.Fatalf("waited in vain for %s; the demo is at %s (%s); %s", what, s.Step, s.Next, captions(s))
		}
	}
}

// caption waits until the demo has shown a caption. A step that the visitor only
// watches may be over before a busy machine looks; what was told stays. The
// captions follow the log by themselves: a step may be there before its caption.
func (v *visit) caption(words string) {
	v.t.Helper()
	v.until(fmt.Sprintf("the caption %q", words), func() bool { return strings.Contains(captions(v.state()), words) })
}

func captions(s demo.State) string {
	var lines []string
	for _, c := range s.Captions {
		lines = append(lines, c.Text)
	}
	return strings.Join(lines, " | ")
}

// seen is what the visitor sees in the local Slack.
type seen struct {
	Messages map[string][]struct {
		Channel, TS, Text string
		Blocks            json.RawMessage
		Metadata          *struct {
			Type    string `json:"event_type"`
			Payload struct{ Execution string }
		}
	}
	Views []struct {
		ID     string
		Blocks json.RawMessage
		Values map[string]map[string]json.RawMessage
	}
	Violations []any
}

func (v *visit) slack(as string) (s seen) {
	_ = v.call(http.MethodGet, "/workspace/api/state?as="+as, nil, &s)
	return s
}

// act sends something that people do in the local Slack.
func (v *visit) act(path string, body map[string]any) error {
	var answer struct {
		OK    bool
		Error string
	}
	if err := v.call(http.MethodPost, "/workspace/api/"+path, body, &answer); err != nil {
		return err
	}
	if !answer.OK {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return nil
}

// press clicks a button on the newest message that speaks of an execution and has it.
func (v *visit) press(as, ref, action string) {
	v.t.Helper()
	v.until(fmt.Sprintf("%s can press %s of %s", as, action, ref), func() bool {
		for _, messages := range v.slack(as).Messages {
			for i := len(messages) - 1; i >= 0; i-- {
				m := messages[i]
				if !strings.Contains(strings.ReplaceAll(m.Text, " #", "#")+" ", ref+" ") && !strings.HasSuffix(m.Text, ref) || !strings.Contains(string(m.Blocks), `"action_id":"`+action+`"`) {
					continue
				}
				if v.act("click", map[string]any{"as": as, "channel": m.Channel, "ts": m.TS, "action": action}) == nil {
					return true
				}
			}
		}
		return false
	})
}

func (v *visit) shop() string {
	req, err := v.request(http.MethodGet, "/shop/", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	return string(data)
}

func (v *visit) push(what string) {
	v.t.Helper()
	var answer struct {
		OK    bool
		Error string
	}
	if err := v.call(http.MethodPost, "/demo/api/push", map[string]string{"what": what}, &answer); err != nil || !answer.OK {
		v.t.Fatalf("push: %v %s", err, answer.Error)
	}
}

// rollBack opens the form from the card and sends it as it is preselected.
func (v *visit) rollBack(ref, to string) {
	v.t.Helper()
	v.press("UANA", ref, "rollback")
	v.until("the form with a target", func() bool {
		s := v.slack("UANA")
		if len(s.Views) == 0 {
			return false
		}
		view := s.Views[len(s.Views)-1]
		for _, actions := range view.Values {
			for _, chosen := range actions {
				if strings.Contains(string(chosen), to) {
					return v.act("submit", map[string]any{"as": "UANA", "view": view.ID, "values": map[string]string{}}) == nil
				}
			}
		}
		return false
	})
}

// The whole story of a visitor, as the page tells it, with a kill in the middle of a deploy.
func TestDemoTellsItsStory(t *testing.T) {
	t.Parallel()
	v := visitDemo(t, t.TempDir(), freeAddr(t))
	t.Logf("ready after %s", v.took.Round(time.Millisecond))

	s := v.step(demo.Approve, "#43")
	if s.Shop.Execution != "webshop#42" || !s.Shop.Healthy || strings.Contains(v.shop(), "SPRING") {
		t.Fatalf("the story opens with %+v", s.Shop)
	}
	v.press("UANA", "webshop#43", "approve")
	v.caption("#43 is being deployed")
	v.caption("#43 is out")
	if !strings.Contains(v.shop(), "SPRING") {
		t.Error("the shop shows no coupons")
	}
	s = v.step(demo.RollBack, "#43")
	if s.Shop.Healthy {
		t.Error("the shop is well, and should be rolled back")
	}
	v.rollBack("webshop#43", "42")
	s = v.step(demo.Careless, "")
	if s.Shop.Execution != "webshop#42" || !s.Shop.Healthy || strings.Contains(v.shop(), "SPRING") {
		t.Errorf("after the rollback: %+v", s.Shop)
	}
	v.push("careless")
	v.step(demo.AdmitOne, "#45")
	v.press("UANA", "webshop#45", "enable")
	v.step(demo.Approve, "#45")
	v.press("UANA", "webshop#45", "approve")
	s = v.step(demo.Good, "two approvals")
	if s.Shop.Execution != "webshop#42" || !s.Shop.Healthy || len(s.Tickets) != 1 {
		t.Errorf("after the careless fix: %+v %+v", s.Shop, s.Tickets)
	}

	v.push("good")
	v.step(demo.AdmitOne, "#47")
	v.press("UANA", "webshop#47", "enable")
	v.step(demo.Approve, "#47")
	v.press("UANA", "webshop#47", "approve")
	v.caption("#47 is being deployed")
	pid := v.cmd.Process.Pid
	var ok struct{ OK bool }
	if err := v.call(http.MethodPost, "/demo/api/kill", map[string]any{}, &ok); err != nil {
		t.Fatal(err)
	}
	v.ready()
	v.until("the good fix is out", func() bool { s = v.state(); return s.Shop.Execution == "webshop#47" })
	v.step(demo.Done, "")
	if s.Restarts != 1 || !s.Shop.Healthy || !strings.Contains(v.shop(), "SPRING") || syscall.Kill(pid, 0) != nil {
		t.Errorf("after the kill: %d restarts, %+v", s.Restarts, s.Shop)
	}
	for _, as := range []string{"UANA", "UBEN", "UDAN"} {
		if bad := v.slack(as).Violations; len(bad) > 0 {
			t.Errorf("Slack would refuse: %v", bad)
		}
	}
	for _, words := range []string{"Ana approved #43", "#42 is back", "#45 failed", "Ticket SHOP-1", "nothing was lost"} {
		v.caption(words)
	}
	v.leaves()
}

// leaves ends the demo as Ctrl-C does, and looks for what is left behind.
func (v *visit) leaves() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("the demo ended with %v: %s", err, v.errs)
	}
	entries, err := os.ReadDir(v.dir)
	if err != nil || len(entries) != 1 {
		v.t.Errorf("beside the demo's folder there is %v (%v)", entries, err)
	}
	if entries, err = os.ReadDir(v.home); err != nil || len(entries) != 1 {
		v.t.Errorf("in the user's home there is %v (%v)", entries, err)
	}
	_ = filepath.WalkDir(v.dir, func(path string, e os.DirEntry, err error) error {
		if data, reading := os.ReadFile(path); err == nil && reading == nil && bytes.Contains(data, []byte(precious)) {
			v.t.Errorf("%s holds a secret of the user", path)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "ps", "-eo", "pid,args").Output(); err == nil && strings.Contains(string(out), v.dir) {
		v.t.Errorf("something still runs:\n%s", out)
	}
}

// Every pipeline file of CodePipeline's users plays to its end, gates included.
func TestDemoPlaysAnybodysPipeline(t *testing.T) {
	t.Parallel()
	samples := os.Getenv("ROLLCALL_SAMPLES")
	if samples == "" {
		t.Skip("ROLLCALL_SAMPLES is not set")
	}
	files, err := filepath.Glob(filepath.Join(samples, "codepipeline", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	played := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var said bytes.Buffer
			if (&validateCmd{Files: []string{file}}).Run(t.Context(), &output{&said, &said}) != nil {
				t.Skipf("not valid: %s", &said)
			}
			played++
			v := visitDemo(t, t.TempDir(), freeAddr(t), file)
			var s demo.State
			v.until("the pipeline has played", func() bool {
				s = v.state()
				if s.Step == demo.Approve {
					v.press("UANA", "#"+s.Next[strings.LastIndexByte(s.Next, '#')+1:], "approve")
				}
				return s.Step == demo.Done
			})
			v.caption("is out")
			if s = v.state(); !strings.HasSuffix(captions(s), "is out") || s.Shop != nil || s.File != filepath.Base(file) {
				t.Errorf("it ended with %s", captions(s))
			}
			v.leaves()
		})
	}
	if played == 0 {
		t.Error("no sample is valid")
	}
}

// What is refused, is refused in a sentence.
func TestDemoRefuses(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freeAddr(t)
	v := visitDemo(t, dir, addr)
	other := filepath.Join(t.TempDir(), "other")
	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, "thesis.txt"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("name: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		path string // PATH; empty: as it is
		want string
	}{
		{"the same folder", []string{"--listen", freeAddr(t), "--data", filepath.Join(dir, "demo")}, "", "another demo runs in " + filepath.Join(dir, "demo") + ", at http://" + addr},
		{"the same port", []string{"--listen", addr, "--data", other}, "", addr + " is taken"},
		{"for others to reach", []string{"--listen", "0.0.0.0:8484", "--data", other}, "", "the demo listens on this machine only"},
		{"a folder of something else", []string{"--listen", freeAddr(t), "--data", strange}, "", "holds other things"},
		{"no git, no sh", []string{"--listen", freeAddr(t), "--data", other}, t.TempDir(), "there is no git in PATH"},
		{"a broken file", []string{"--listen", freeAddr(t), "--data", other, broken}, "", "cannot be played\n" + broken + ":1:1: "},
	} {
		cmd := demoProcess(t.TempDir(), c.args...)
		if c.path != "" {
			cmd.Env = append(cmd.Env, "PATH="+c.path)
		}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), "rollcall: ") || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v\n%s\nwant %q", c.name, err, out, c.want)
		}
		if lines := strings.Count(strings.TrimSpace(string(out)), "\n"); lines > 0 && c.name != "a broken file" {
			t.Errorf("%s takes %d lines:\n%s", c.name, lines+1, out)
		}
	}

	// Programs without a token or a signature do nothing, whatever they know of the key.
	for _, path := range []string{"/slack-api/api/chat.postMessage", "/github-api/repos/acme/webshop/statuses/" + strings.Repeat("a", 40), "/jira/rest/api/2/issue",
		"/slack/commands", "/slack/interactions", "/github/webhook", "/api/v1/pipelines/webshop/executions"} {
		req, err := v.request(http.MethodPost, path, map[string]string{"text": "hello", "channel": "CDEPLOYS"})
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode/100 == 2 && !strings.Contains(string(data), "not_authed") {
			t.Errorf("POST %s without a token: %s %s", path, res.Status, data)
		}
	}
	v.leaves()
}

// Ended in the middle of a deploy, the demo waits for it, and goes on where it
// was when it is started again; killed for real, it goes on too.
func TestDemoGoesOn(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freeAddr(t)
	v := visitDemo(t, dir, addr)
	v.caption("#39")
	if err := v.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = v.cmd.Wait()

	v = visitDemo(t, dir, addr)
	if s := v.step(demo.Approve, "#43"); s.Shop.Execution != "webshop#42" {
		t.Errorf("the story opens with %+v", s.Shop)
	}
	v.press("UANA", "webshop#43", "approve")
	v.caption("#43 is being deployed")
	messages := len(v.slack("UANA").Messages["CDEPLOYS"])
	v.leaves()

	v = visitDemo(t, dir, addr)
	v.step(demo.RollBack, "#43")
	if n := len(v.slack("UANA").Messages["CDEPLOYS"]); n < messages {
		t.Errorf("%d messages are left of %d", n, messages)
	}
	v.rollBack("webshop#43", "42")
	v.caption("#44 is being deployed")
	if err := v.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = v.cmd.Wait()

	v = visitDemo(t, dir, addr)
	s := v.step(demo.Careless, "")
	if s.Shop.Execution != "webshop#42" || strings.Contains(v.shop(), "SPRING") || s.Restarts != 0 {
		t.Errorf("after the kill: %+v", s)
	}
	if bad := v.slack("UANA").Violations; len(bad) > 0 {
		t.Errorf("Slack would refuse: %v", bad)
	}

	var ok struct{ OK bool }
	if err := v.call(http.MethodPost, "/demo/api/reset", map[string]any{}, &ok); err != nil {
		t.Fatal(err)
	}
	v.ready()
	if s = v.step(demo.Approve, "#43"); len(s.Tickets) != 0 {
		t.Errorf("after the reset: %+v", s)
	}
	v.leaves()
}
