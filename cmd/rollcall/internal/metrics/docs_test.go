package metrics

import (
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v4"
)

const docs = "../../../../docs/monitoring"

var (
	fullName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	metricName = regexp.MustCompile(`\b(rollcall|go|process)_[a-z_0-9]+`)
	ofPart     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// known are the names of all metrics.
func known(t *testing.T) (ours, all []string) {
	t.Helper()
	m := New(slog.New(slog.DiscardHandler))
	m.Gauges(&world{})
	descs := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descs)
	close(descs)
	for d := range descs {
		all = append(all, fullName.FindStringSubmatch(d.String())[1])
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families { // those of the Go runtime are only there now
		all = append(all, f.GetName())
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, name := range all {
		if strings.HasPrefix(name, namespace+"_") {
			ours = append(ours, name)
		}
	}
	return ours, all
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// exists checks that every metric that a query names is one.
func exists(t *testing.T, where, query string, all []string) {
	t.Helper()
	names := metricName.FindAllString(query, -1)
	if len(names) == 0 {
		t.Errorf("%s: the query %q names no metric", where, query)
	}
	for _, name := range names {
		if !slices.Contains(all, name) && !slices.Contains(all, ofPart.ReplaceAllString(name, "")) {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
}

func TestTheDashboardUsesMetricsThatExist(t *testing.T) {
	var d struct {
		Title, UID    string
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			Description string
			GridPos     struct{ H, W, X, Y int }
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || d.SchemaVersion == 0 {
		t.Errorf("Grafana would not import it: %q %q %d", d.Title, d.UID, d.SchemaVersion)
	}
	_, all := known(t)
	seen := map[int]bool{}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			exists(t, "variable "+v.Name, v.Definition, all)
		}
	}
	for _, p := range d.Panels {
		if seen[p.ID] || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: its id is used twice, or it has no place: %+v", p.Title, p.GridPos)
		}
		seen[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q has no query or no description", p.Title)
		}
		for _, q := range p.Targets {
			exists(t, "panel "+p.Title, q.Expr, all)
		}
	}
	if len(d.Panels) < 20 {
		t.Errorf("only %d panels were read", len(d.Panels))
	}
}

func TestTheAlertsUseMetricsThatExist(t *testing.T) {
	var f struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "alerts.yaml"), &f); err != nil {
		t.Fatal(err)
	}
	_, all := known(t)
	readme := string(read(t, "README.md"))
	rules := 0
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			rules++
			exists(t, "alert "+r.Alert, r.Expr, all)
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || !strings.Contains(readme, "`"+r.Alert+"`") {
				t.Errorf("alert %s has no severity, no summary, or no line in README.md", r.Alert)
			}
		}
	}
	if rules < 10 {
		t.Errorf("only %d rules were read", rules)
	}
}

func TestTheManualHasEveryMetric(t *testing.T) {
	ours, _ := known(t)
	readme := string(read(t, "README.md"))
	for _, name := range ours {
		if strings.Count(readme, "| `"+name+"` |") != 1 {
			t.Errorf("docs/monitoring/README.md should have one row for %s", name)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(rollcall_[a-z_]+)`").FindAllStringSubmatch(readme, -1) {
		if !slices.Contains(ours, m[1]) {
			t.Errorf("docs/monitoring/README.md has %s, which is not counted", m[1])
		}
	}
}

func TestPromtoolAcceptsTheAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	if out, err := exec.Command(promtool, "check", "rules", filepath.Join(docs, "alerts.yaml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
