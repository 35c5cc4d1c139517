package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
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
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

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

// mayImport is the layer table of docs/architecture.md: who may import what of ours.
// "x/..." stands for x and all below it.
func mayImport(path string) []string {
	nouns := []string{"workflows", "workflows/event", "workflows/work"}
	switch {
	case path == "workflows", path == "workflows/clock", path == "workflows/words", path == "workflows/identity":
		return nil
	case path == "workflows/ledger", path == "workflows/gate":
		return []string{"workflows", "workflows/words"}
	case path == "workflows/rule":
		return []string{"workflows/clock"}
	case path == "workflows/vars", path == "workflows/trigger", path == "workflows/access", path == "workflows/event":
		return []string{"workflows"}
	case path == "workflows/work":
		return []string{"workflows", "workflows/event"}
	case path == "workflows/spec":
		return []string{"workflows", "workflows/vars", "workflows/clock"}
	case path == "workflows/machine":
		return []string{"workflows", "workflows/vars", "workflows/clock", "workflows/words", "workflows/identity", "workflows/ledger", "workflows/gate", "workflows/rule", "workflows/event", "workflows/work"}
	case path == "workflows/runtime":
		return []string{"workflows/..."}
	case within(path, "store"):
		return append(nouns, "store/...")
	case within(path, "integrations/slack"):
		return append(nouns, "integrations/wire/...", "integrations/slack/...", "bot")
	case within(path, "integrations"):
		parts := strings.SplitN(path, "/", 3)
		return append(nouns, "integrations/wire/...", strings.Join(parts[:2], "/")+"/...")
	case within(path, "bot"):
		return []string{"workflows", "workflows/event", "bot/..."}
	case within(path, "web"):
		return []string{"workflows", "workflows/event"}
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
		may := mayImport(p.ImportPath)
		for _, i := range p.ours() {
			if !allowed(i, may) {
				t.Errorf("%s imports %s; it may import %v", p.ImportPath, i, may)
			}
		}
	}
}

// pure packages decide; they cannot look at the world.
var pure = []string{"workflows", "workflows/clock", "workflows/words", "workflows/identity", "workflows/ledger", "workflows/gate", "workflows/rule", "workflows/vars", "workflows/trigger", "workflows/access", "workflows/event", "workflows/work", "workflows/spec",
	"workflows/machine", "bot/command", "bot/card"}

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
		"github.com/alecthomas/kong":      {"cmd"},
		"go.yaml.in/yaml":                 {"workflows/spec", "cmd"},
		"github.com/gorilla/websocket":    {"integrations/slack/workspace"},
		"github.com/bmatcuk/doublestar":   {"workflows/trigger", "workflows/spec", "store/files"},
		"github.com/rogpeppe/go-internal": {},
		"pgregory.net/rapid":              {"store/storetest"},
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
	const most = 7
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
