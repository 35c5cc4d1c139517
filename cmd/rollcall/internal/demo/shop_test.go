package demo

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// The shop is a real one: every release of it passes its tests, and what is
// wrong with some is found by using them.
func TestReleasesOfTheShop(t *testing.T) {
	all, err := past()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != opens-first+1 {
		t.Fatalf("%d releases, want %d", len(all), opens-first+1)
	}
	for _, what := range []string{"careless", "good"} {
		for n := range 2 {
			c, err := next(what, n)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
	}
	titles := map[string]bool{}
	for _, c := range all {
		dir := t.TempDir()
		for name, text := range c.files {
			write(t, filepath.Join(dir, name), text)
		}
		for _, script := range []string{"test.sh", "build.sh"} {
			cmd := exec.Command("sh", script)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: sh %s: %v\n%s", c.title, script, err, out)
			}
		}
		var r release
		r.judge(filepath.Join(dir, "dist"))
		careless, coupons := strings.Contains(c.title, "quickly"), c.title == "Add coupons"
		if r.broken != careless || (r.coupons > 0) != coupons {
			t.Errorf("%s: broken %v, coupons that fail %v", c.title, r.broken, r.coupons)
		}
		health := exec.Command("sh", "health.sh", ".")
		health.Dir = filepath.Join(dir, "dist")
		if out, err := health.CombinedOutput(); (err != nil) != careless {
			t.Errorf("%s: the health check says %v %s", c.title, err, out)
		}
		titles[c.title] = true
	}
	if len(titles) != len(all)-1 { // the two careless ones have the same
		t.Errorf("titles repeat: %v", titles)
	}
	if _, err := next("rm -rf", 0); err == nil {
		t.Error("anything can be pushed")
	}
}

func TestShopsPipelineFile(t *testing.T) {
	p, diagnostics := spec.Parse("webshop.yaml", []byte(strings.Replace(webshop, "%q", `"/shop"`, 1)))
	if p == nil || len(diagnostics) > 0 {
		t.Errorf("%v", diagnostics)
	}
}

func TestErrorRate(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1_700_000_000+s), 0) }
	releases := []release{{since: at(0)}, {since: at(100), coupons: 1.0 / 3}, {since: at(200)}, {since: at(300), broken: true}, {since: at(303)}}
	for _, c := range []struct {
		second    int
		low, high float64
	}{
		{-5, 0, trouble}, {50, 0, trouble}, {100, 0, trouble}, {104, 0, trouble}, {112, trouble, 0.2}, {125, 0.15, 0.3}, {199, 0.15, 0.3},
		{200, 0, trouble}, {299, 0, trouble}, {301, 0.85, 1}, {303, 0, trouble},
	} {
		if got := rateAt(releases, at(c.second)); got < c.low || got > c.high {
			t.Errorf("after %d s: %v, want %v to %v", c.second, got, c.low, c.high)
		}
	}
	line := rates(releases, at(150))
	if len(line) != 91 || line[90].At != at(150).UnixMilli() || line[90].Rate < trouble || line[0].Rate > trouble {
		t.Errorf("%d points, %v … %v", len(line), line[0], line[len(line)-1])
	}
	if s := (&shop{dir: t.TempDir()}); len(s.releases()) != 0 {
		t.Error("a shop that was never deployed has releases")
	}
}

// What deploys wrote down is read back; what they did not write is left alone.
func TestReleasesFromDeploys(t *testing.T) {
	s := &shop{dir: t.TempDir()}
	write(t, filepath.Join(s.dir, "live"), "100 42-99\nrubbish\n200 ../../etc\n300 43-299\n")
	write(t, filepath.Join(s.dir, "releases/42-99/index.html"), "tea")
	write(t, filepath.Join(s.dir, "releases/43-299/index.html"), "{{tea}}")
	write(t, filepath.Join(s.dir, "releases/43-299/coupons.txt"), "A|10\nB|x\n")
	got := s.releases()
	if len(got) != 2 || got[0].broken || got[0].since.Unix() != 100 || !got[1].broken || got[1].coupons != 0.5 {
		t.Errorf("%+v", got)
	}
	if page, err := s.page(); err != nil || string(page) != "{{tea}}" {
		t.Errorf("%q %v", page, err)
	}
}
