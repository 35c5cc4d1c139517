package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What AWS's SDK may cost. A service module that has moved to schemas builds every
// shape of the service whenever the binary starts: of serve without AWS, and of
// each supervisor of a command too.
const (
	mostBinary  = 43_000_000 // bytes, stripped: what finds methods by name (reflect, text/template) keeps 11 MB of the SDK that nobody calls; go build -ldflags=-dumpdep names it (ReflectMethod)
	mostInit    = 200 << 10  // bytes that a package of the SDK allocates at init
	mostInits   = 3_500_000  // all of them together
	mostOurs    = 50 << 10   // bytes that a package of rollcall allocates at init: a pattern over letters costs twice that (C19k)
	mostResting = 14_000     // kB of anonymous memory of an idle serve
)

// withSchemas come with config, the SDK's reader of credentials, and cannot be left out.
var withSchemas = []string{"sso", "ssooidc", "signin"}

func TestWhatTheSDKCosts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	binary := stripped(t)
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, stripped", info.Size())
	if info.Size() > mostBinary {
		t.Errorf("the stripped binary has %d bytes, at most %d", info.Size(), mostBinary)
	}
	deps, err := exec.Command("go", "list", "-deps", "github.com/rollcall-bot/rollcall/cmd/rollcall").Output()
	if err != nil {
		t.Fatal(err)
	}
	schemas := regexp.MustCompile(`aws-sdk-go-v2/service/([^/]+)/schemas$`)
	for line := range strings.FieldsSeq(string(deps)) {
		if m := schemas.FindStringSubmatch(line); m != nil && !slices.Contains(withSchemas, m[1]) {
			t.Errorf("%s builds its shapes at init: take the last version without schemas", line)
		}
	}
	inits(t, binary)
	if runtime.GOOS == "linux" {
		resting(t, binary)
	}
}

// stripped builds the binary, for the most part out of what go test has compiled already.
func stripped(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "rollcall")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "github.com/rollcall-bot/rollcall/cmd/rollcall")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// inits adds up what the SDK allocates before main begins.
func inits(t *testing.T, binary string) {
	t.Helper()
	version := exec.Command(binary, "version")
	version.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := version.CombinedOutput()
	if err != nil {
		t.Fatalf("version: %v\n%s", err, out)
	}
	all, seen := 0, 0
	for _, m := range regexp.MustCompile(`init (\S+) @.* (\d+) bytes,`).FindAllStringSubmatch(string(out), -1) {
		seen++
		n, _ := strconv.Atoi(m[2])
		if strings.HasPrefix(m[1], "github.com/rollcall-bot/") && n > mostOurs {
			t.Errorf("%s allocates %d bytes at init, at most %d: compile what is rarely used when it is used", m[1], n, mostOurs)
		}
		if strings.HasPrefix(m[1], "github.com/aws/") {
			all += n
			if n > mostInit {
				t.Errorf("%s allocates %d bytes at init, at most %d", m[1], n, mostInit)
			}
		}
	}
	if seen == 0 {
		t.Fatalf("the trace of inits has another form:\n%.300s", out)
	}
	t.Logf("the SDK allocates %d bytes at init", all)
	if all > mostInits {
		t.Errorf("the SDK allocates %d bytes at init, at most %d", all, mostInits)
	}
}

// resting looks at the memory of a service that has nothing to do.
func resting(t *testing.T, binary string) {
	t.Helper()
	w := &fixture{t: t, dir: folder(t), addr: freeAddr(t)}
	w.write("rollcall.yaml", "listen: "+w.addr+"\nadmins: [ana@acme.example]\n")
	w.write("pipelines/.keep", "")
	cmd := exec.Command(binary, "serve", "--config", w.path("rollcall.yaml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	w.ready()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("the system does not tell anonymous memory")
	}
	kB, _ := strconv.Atoi(string(m[1]))
	t.Logf("an idle service has %d kB of anonymous memory", kB)
	if kB > mostResting {
		t.Errorf("an idle service has %d kB of anonymous memory, at most %d", kB, mostResting)
	}
}
