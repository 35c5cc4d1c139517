package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/rollcall-bot/rollcall/"

// pkg is what `go list` says of a package; ImportPath is without the module.
type pkg struct {
	ImportPath, Name, Dir string
	GoFiles, TestGoFiles  []string
	XTestGoFiles, Imports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

// listed asks go list once for all tests; they only read what it says.
var listed = sync.OnceValues(func() (all []pkg, err error) {
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports", module+"...").Output()
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
})

// ours returns the imports of our own packages, without the module.
func (p pkg) ours() []string {
	var in []string
	for _, i := range p.Imports {
		if rest, ok := strings.CutPrefix(i, module); ok {
			in = append(in, rest)
		}
	}
	return in
}

// within says whether path is folder or below it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// rooms are the packages that the runtime wires: none knows another one, nor the runtime.
var rooms = []string{"workflows/runtime/acting", "workflows/runtime/contents", "workflows/runtime/decider", "workflows/runtime/following", "workflows/runtime/inbound", "workflows/runtime/retention"}

// mayImport is the layer table of docs/architecture.md: who may import what of ours.
// "x/..." stands for x and all below it.
func mayImport(path string) []string {
	nouns := []string{"workflows", "workflows/event", "workflows/record", "workflows/say", "workflows/work"}
	switch {
	case path == "workflows", path == "workflows/document", path == "workflows/age", path == "workflows/clock", path == "workflows/words", path == "workflows/identity", path == "workflows/clean", path == "workflows/subject":
		return nil
	case path == "workflows/ledger", path == "workflows/gate", path == "workflows/scope":
		return []string{"workflows"}
	case path == "workflows/say":
		return []string{"workflows", "workflows/subject"}
	case path == "workflows/access":
		return []string{"workflows", "workflows/scope", "workflows/subject"}
	case path == "workflows/history":
		return []string{"workflows", "workflows/event", "workflows/say"}
	case path == "workflows/audit":
		return []string{"workflows", "workflows/event", "workflows/history", "workflows/record", "workflows/say"}
	case path == "workflows/compare":
		return []string{"workflows", "workflows/say", "workflows/spec"}
	case path == "workflows/rule":
		return []string{"workflows/clock"}
	case path == "workflows/trigger":
		return []string{"workflows", "workflows/document"}
	case path == "workflows/event", path == "workflows/source", path == "workflows/work":
		return []string{"workflows"}
	case path == "workflows/changes":
		return []string{"workflows", "workflows/work"}
	case path == "workflows/vars":
		return []string{"workflows", "workflows/work"}
	case path == "workflows/alarm":
		return []string{"workflows", "workflows/event", "workflows/ledger", "workflows/work"}
	case path == "workflows/record":
		return []string{"workflows", "workflows/event", "workflows/work"}
	case path == "workflows/spec":
		return []string{"workflows", "workflows/event", "workflows/vars", "workflows/clock", "workflows/document", "workflows/source", "workflows/subject"}
	case path == "workflows/spec/cloudformation":
		return []string{"workflows", "workflows/spec"}
	case path == "workflows/spec/codepipeline":
		return []string{"workflows", "workflows/clock", "workflows/source", "workflows/spec", "workflows/spec/cloudformation"}
	case path == "workflows/machine":
		return []string{"workflows", "workflows/vars", "workflows/clock", "workflows/identity", "workflows/ledger", "workflows/gate", "workflows/say", "workflows/scope", "workflows/rule", "workflows/event", "workflows/work", "workflows/bridged", "workflows/schedule", "workflows/alarm"}
	case path == "workflows/bridged":
		return []string{"workflows", "workflows/event", "workflows/identity", "workflows/say", "workflows/work"}
	case path == "workflows/schedule":
		return []string{"workflows", "workflows/clock", "workflows/event"}
	case path == "workflows/checkpoint":
		return []string{"workflows/gate", "workflows/ledger", "workflows/machine", "workflows/words"}
	case slices.Contains(rooms, path):
		return []string{"workflows", "workflows/access", "workflows/age", "workflows/changes", "workflows/clean", "workflows/document", "workflows/event", "workflows/identity", "workflows/ledger", "workflows/machine", "workflows/record", "workflows/rule", "workflows/scope", "workflows/source", "workflows/trigger", "workflows/work"}
	case path == "workflows/runtime":
		return []string{"workflows/..."}
	case within(path, "store"):
		return append(nouns, "store/...")
	case within(path, "integrations/slack"):
		return append(nouns, "integrations/wire/...", "integrations/slack/...", "bot", "bot/layout")
	case within(path, "integrations"):
		parts := strings.SplitN(path, "/", 3)
		return append(nouns, "workflows/changes", "workflows/document", "workflows/source", "workflows/subject", "integrations/wire/...", strings.Join(parts[:2], "/")+"/...")
	case within(path, "bot"):
		return []string{"workflows", "workflows/changes", "workflows/event", "workflows/history", "workflows/ledger", "workflows/record", "workflows/say", "workflows/scope", "bot/..."}
	case within(path, "web"):
		return []string{"web/session", "workflows", "workflows/audit", "workflows/changes", "workflows/compare", "workflows/event", "workflows/history", "workflows/ledger", "workflows/record", "workflows/say"}
	}
	return []string{"..."} // cmd
}

func allowed(path string, list []string) bool {
	return slices.ContainsFunc(list, func(a string) bool {
		if folder, ok := strings.CutSuffix(a, "..."); ok {
			return folder == "" || within(path, strings.TrimSuffix(folder, "/"))
		}
		return path == a
	})
}

func TestNothingPointsUp(t *testing.T) {
	for _, p := range packages(t) {
		may := append(mayImport(p.ImportPath), "workflows/clean", "workflows/words") // text from outside, and sentences, come everywhere
		for _, i := range p.ours() {
			if !allowed(i, may) {
				t.Errorf("%s imports %s; it may import %v", p.ImportPath, i, may)
			}
		}
	}
}

// pure packages decide; they cannot look at the world.
var pure = []string{"workflows", "workflows/document", "workflows/age", "workflows/source", "workflows/clock", "workflows/words", "workflows/say", "workflows/history", "workflows/audit", "workflows/compare", "workflows/identity", "workflows/clean", "workflows/subject", "workflows/scope", "workflows/ledger", "workflows/gate", "workflows/rule", "workflows/vars", "workflows/trigger", "workflows/access", "workflows/event", "workflows/record", "workflows/work", "workflows/spec", "workflows/bridged", "workflows/schedule", "workflows/alarm",
	"workflows/machine", "workflows/spec/cloudformation", "workflows/spec/codepipeline", "workflows/checkpoint", "bot/command", "bot/card", "bot/form", "bot/home", "bot/identity", "bot/layout", "integrations/aws/policy", "integrations/aws/diagnose", "integrations/wire/selftest"}

func TestPurePackagesCannotLookAtTheWorld(t *testing.T) {
	banned := func(i string) bool {
		switch i {
		case "os", "net", "net/http", "context", "sync", "math/rand", "math/rand/v2", "crypto/rand":
			return true
		}
		return strings.HasPrefix(i, "log") || strings.HasPrefix(i, "os/") || strings.HasPrefix(i, "sync/")
	}
	found := 0
	for _, p := range packages(t) {
		if !slices.Contains(pure, p.ImportPath) {
			continue
		}
		found++
		for _, i := range p.Imports {
			if banned(i) {
				t.Errorf("%s is pure and imports %s", p.ImportPath, i)
			}
		}
	}
	if found != len(pure) {
		t.Errorf("found %d of the %d pure packages %v", found, len(pure), pure)
	}
}

// Vendors' libraries stay in the folder of their vendor.
func TestLibrariesStayAtTheirVendor(t *testing.T) {
	home := map[string][]string{
		"github.com/slack-go/":            {"bot", "integrations/slack"},
		"github.com/google/go-github":     {"integrations/github"},
		"github.com/bradleyfalzon/":       {"integrations/github"},
		"github.com/andygrunwald/go-jira": {"integrations/jira"},
		"github.com/aws/aws-sdk-go-v2":    {"integrations/aws"},
		"go.etcd.io/bbolt":                {"store"},
		"github.com/klauspost/compress":   {"store"},
		"github.com/prometheus/":          {"cmd"},
		"github.com/spf13/":               {"cmd"},
		"go.yaml.in/yaml":                 {"workflows/spec", "cmd"},
		"github.com/gorilla/websocket":    {"integrations/slack"},
		"github.com/bmatcuk/doublestar":   {"workflows/trigger", "workflows/spec", "store/files"},
		"github.com/rogpeppe/go-internal": {},
		"pgregory.net/rapid":              {"store/storetest", "bot/internal"},
		"github.com/google/go-cmp":        {"store/storetest"},
		"golang.org/x/time/rate":          {"integrations"},
	}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			for lib, homes := range home {
				if strings.HasPrefix(i, lib) && !slices.ContainsFunc(homes, func(h string) bool { return within(p.ImportPath, h) }) {
					t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, i, homes)
				}
			}
		}
	}
}

func TestImportChainsStayShort(t *testing.T) {
	const most = 8 // the command, its wiring, the runtime, one of its rooms, the machine, what it decides by in AWS, events, nouns
	imports, depth := map[string][]string{}, map[string]int{}
	for _, p := range packages(t) {
		imports[p.ImportPath] = p.ours()
	}
	var walk func(string) int
	walk = func(path string) int {
		if depth[path] == 0 {
			deepest := 0
			for _, i := range imports[path] {
				deepest = max(deepest, walk(i))
			}
			depth[path] = deepest + 1
		}
		return depth[path]
	}
	for path := range imports {
		if n := walk(path); n > most {
			t.Errorf("%s stands on a chain of %d packages; at most %d", path, n, most)
		}
	}
}

// The SDK's paginators and waiters take a client as an interface. Then the linker keeps
// every operation of the service: accounts.Pages stands in their place.
func TestClientsOfAWSAreNoInterfaces(t *testing.T) {
	taken := regexp.MustCompile(`\bNew\w+(Paginator|Waiter)\(`)
	for _, s := range sources(t, false) {
		if found := taken.FindString(s.text); found != "" {
			t.Errorf("%s calls %s…): use accounts.Pages", s.path, found)
		}
	}
}
