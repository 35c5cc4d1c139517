package demo

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed webshop
var sources embed.FS

const (
	first = 38 // the oldest release that the demo shows
	opens = 43 // the release that waits when the visitor comes
)

// shop is the web shop: its repository, and what of it is deployed.
type shop struct {
	repository
	dir     string // what is deployed
	commits []string
}

// tree is the shop's files as embedded, without coupons.
func tree() (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(sources, "webshop", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := sources.ReadFile(path)
		files[strings.TrimPrefix(path, "webshop/")] = string(data)
		return err
	})
	return files, err
}

// shelf is what the shop may sell beyond its first teas.
func shelf() []string {
	return []string{"🍂|Darjeeling|1090|Black, second flush\n", "🌸|Jasmine|950|Green, with blossoms\n", "🌾|Rooibos|690|Red, without caffeine\n", "🎁|Gift box|2400|Three teas and a strainer\n",
		"🍃|Matcha|1890|Ground green tea\n", "🍋|Lemon grass|590|Fresh and light\n", "🐉|Oolong|1290|Half-way between green and black\n", "❄️|White peony|1490|Barely touched\n"}
}

// past is how the shop came to where the visitor finds it: a change for each
// release from first to opens.
func past() ([]change, error) {
	files, err := tree()
	if err != nil {
		return nil, fmt.Errorf("read the shop: %w", err)
	}
	coupons := files["coupons.txt"]
	delete(files, "coupons.txt")
	var all []change
	add := func(title string) { all = append(all, change{title, maps.Clone(files)}) }
	add("Add Earl Grey")
	for i, title := range []string{"Add Darjeeling", "Add Jasmine", "Add Rooibos", "Add gift boxes"} {
		files["products.txt"] += shelf()[i]
		add(title)
	}
	files["coupons.txt"], files["theme"] = coupons, "accent=#8a2f57\n"
	add("Add coupons")
	return all, nil
}

// next is the change that a push of the visitor makes; n counts those before it.
func next(what string, n int) (change, error) {
	all, err := past()
	if err != nil {
		return change{}, err
	}
	files := all[len(all)-1].files
	whole := strings.ReplaceAll(files["coupons.txt"], "10%", "10")
	switch what {
	case "coupons":
		return change{"Add coupons", files}, nil
	case "careless":
		files["coupons.txt"] = whole
		// It mends the coupons, and breaks the shelf.
		files["build.sh"] = strings.Replace(files["build.sh"], "€ %s</b>", "€ {{price}}</b>", 1)
		files["build.sh"] = strings.Replace(files["build.sh"], `"$about" "$(euros "$cents")"`, `"$about"`, 1)
		return change{"Fix the coupons, quickly", files}, nil
	case "good":
		files["coupons.txt"], files["theme"] = whole, "accent=#255f7a\n"
		extra := shelf()[4:]
		for i := range n%len(extra) + 1 {
			files["products.txt"] += extra[i]
		}
		title := "Fix the coupons, with care"
		if n > 0 {
			_, name, _ := strings.Cut(extra[n%len(extra)], "|")
			name, _, _ = strings.Cut(name, "|")
			title = "Add " + name
		}
		return change{title, files}, nil
	}
	return change{}, fmt.Errorf("there is nothing called %q to push: careless, good or coupons", what)
}

// openShop makes repository and shop, or finds them again.
func openShop(ctx context.Context, p *dataDir) (*shop, error) {
	s := &shop{repository: repository{dir: p.path("git", "acme", "webshop.git"), home: p.path("git")}, dir: p.path("shop")}
	if _, err := os.Stat(p.path("git", "made")); err == nil {
		s.commits, err = s.history(ctx)
		return s, err
	}
	for _, dir := range []string{s.repository.dir, s.dir} {
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
			return nil, fmt.Errorf("make the shop: %w", err)
		}
	}
	all, err := past()
	if err != nil {
		return nil, err
	}
	if _, err := s.git(ctx, nil, "-c", "init.defaultBranch=main", "init", "--quiet", "--bare", "--template="); err != nil {
		return nil, fmt.Errorf("make the shop's repository: %w", err)
	}
	if _, err = s.commit(ctx, all, true); err != nil {
		return nil, err
	}
	if s.commits, err = s.history(ctx); err != nil {
		return nil, err
	}
	if err := s.setPace("0"); err != nil {
		return nil, err
	}
	return s, replace(p.path("git", "made"), nil)
}

// setPace says how long a deploy takes, in seconds; empty: as long as the deploy script likes.
func (s *shop) setPace(pace string) error {
	path := filepath.Join(s.dir, "pace")
	if pace == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the shop's pace: %w", err)
		}
		return nil
	}
	return replace(path, []byte(pace))
}

// release is what customers see from a moment on.
type release struct {
	since   time.Time
	broken  bool    // the page does not work
	coupons float64 // the share of coupons with which the checkout fails
}

// releases are what customers saw, oldest first, as the deploys wrote it down.
func (s *shop) releases() []release {
	data, err := os.ReadFile(filepath.Join(s.dir, "live"))
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	var all []release
	for _, line := range lines[max(0, len(lines)-20):] {
		at, name, ok := strings.Cut(line, " ")
		seconds, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil || name != filepath.Base(name) {
			continue
		}
		r := release{since: time.Unix(seconds, 0)}
		r.judge(filepath.Join(s.dir, "releases", name))
		all = append(all, r)
	}
	return all
}

// judge finds out what is wrong with a release by using it as customers do.
func (r *release) judge(dir string) {
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	r.broken = err != nil || bytes.Contains(page, []byte("{{"))
	coupons, err := os.ReadFile(filepath.Join(dir, "coupons.txt"))
	if err != nil {
		return
	}
	bad, all := 0.0, 0.0
	for lines := bufio.NewScanner(bytes.NewReader(coupons)); lines.Scan(); all++ {
		_, percent, _ := strings.Cut(lines.Text(), "|")
		if _, err := strconv.Atoi(percent); err != nil {
			bad++ // the checkout cannot calculate with it
		}
	}
	if all > 0 {
		r.coupons = bad / all
	}
}

// page is the shop's page as it is deployed.
func (s *shop) page() ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, "live"))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	_, name, _ := strings.Cut(lines[len(lines)-1], " ")
	return os.ReadFile(filepath.Join(s.dir, "releases", filepath.Base(name), "index.html"))
}
