package app

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
)

// A change is in force as soon as the system reports it, whichever way it is made:
// without a report the files would be looked at minutes later.
func TestAChangeOfAFileIsReported(t *testing.T) {
	p := newFixture(t, "")
	at := func(name string) string { return filepath.Join(p.folder, name) }
	if !reportsChanges(filepath.Dir(filepath.Dir(p.folder))) {
		t.Skip("the file system of the temporary folder reports no changes")
	}
	w := &watcher{}
	defer w.close()
	if err := p.look(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	shop := func(command string) string { return fmt.Sprintf(good, "shop", command) }
	for _, step := range []struct {
		about   string
		change  func() error
		inForce map[string]string
	}{
		{"the folder and a file in it", func() error { p.write("shop.yaml", shop("a")); return nil }, map[string]string{"shop": "a"}},
		{"a file is written", func() error { p.write("shop.yaml", shop("b")); return nil }, map[string]string{"shop": "b"}},
		{"a file takes its place", func() error {
			p.write("shop.yaml~", shop("c"))
			return os.Rename(at("shop.yaml~"), at("shop.yaml"))
		}, map[string]string{"shop": "c"}},
		{"a file with a template below the folder", func() error {
			p.write("base/service.yaml", fmt.Sprintf(service, "send"))
			p.write("till.yaml", "name: till\nextends: base/service.yaml\nparameters: {deploy: it}\n")
			return nil
		}, map[string]string{"shop": "c", "till": "send it"}},
		{"the template is written", func() error { p.write("base/service.yaml", fmt.Sprintf(service, "sell")); return nil }, map[string]string{"shop": "c", "till": "sell it"}},
		{"a file goes", func() error { return os.Remove(at("till.yaml")) }, map[string]string{"shop": "c"}},
		{"a link to a file elsewhere", func() error {
			p.write("../one/shop.yaml", shop("d"))
			p.write("../two/shop.yaml", shop("e"))
			if err := os.Symlink("../one", at("..data")); err != nil {
				return err
			}
			if err := os.Symlink("..data/shop.yaml", at("link")); err != nil {
				return err
			}
			return os.Rename(at("link"), at("shop.yaml"))
		}, map[string]string{"shop": "d"}},
		{"the file elsewhere is written", func() error { p.write("../one/shop.yaml", shop("f")); return nil }, map[string]string{"shop": "f"}},
		{"the link is switched", func() error {
			if err := os.Symlink("../two", at("..data_tmp")); err != nil {
				return err
			}
			return os.Rename(at("..data_tmp"), at("..data"))
		}, map[string]string{"shop": "e"}},
		{"another folder takes its place", func() error {
			p.write("../next/shop.yaml", shop("g"))
			if err := os.Rename(p.folder, p.folder+"-old"); err != nil {
				return err
			}
			return os.Rename(at("../next"), p.folder)
		}, map[string]string{"shop": "g"}},
		{"and is written to", func() error { p.write("shop.yaml", shop("h")); return nil }, map[string]string{"shop": "h"}},
		{"a link takes its place", func() error {
			if err := os.Rename(p.folder, p.folder+"-real"); err != nil {
				return err
			}
			if err := os.Symlink(p.folder+"-real", p.folder); err != nil {
				return err
			}
			p.write("shop.yaml", shop("i"))
			return nil
		}, map[string]string{"shop": "i"}},
	} {
		if err := step.change(); err != nil {
			t.Fatalf("%s: %v", step.about, err)
		}
		began := time.Now()
		w.next(t.Context(), nil, time.Minute)
		if time.Since(began) >= time.Minute {
			t.Fatalf("%s: nothing is reported", step.about)
		}
		if err := p.look(t.Context(), w); err != nil {
			t.Fatalf("%s: %v", step.about, err)
		}
		if diff := cmp.Diff(step.inForce, p.commands()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", step.about, diff)
		}
	}
}

// What else happens beside the folder wakes nobody: a log may lie there.
func TestOnlyWhatMattersIsReported(t *testing.T) {
	p := newFixture(t, "")
	p.write("shop.yaml", fmt.Sprintf(good, "shop", "ship"))
	p.write("../away/base.yaml", fmt.Sprintf(service, "ship"))
	p.write("../away/till.yaml", fmt.Sprintf(good, "till", "ship"))
	if err := os.Symlink("../away/till.yaml", filepath.Join(p.folder, "till.yaml")); err != nil {
		t.Fatal(err)
	}
	p.read()
	places := p.places()
	above := filepath.Dir(p.folder)
	for path, want := range map[string]bool{
		"pipelines/shop.yaml": true, "pipelines/new.yaml": true, "pipelines": true, "away/till.yaml": true,
		"away/base.yaml": false, "rollcall.yaml": false, "log": false, "data": false,
	} {
		if got := places.matters(fsnotify.Event{Name: filepath.Join(above, path)}); got != want {
			t.Errorf("an event of %s matters: %v", path, got)
		}
	}
	if dirs := slices.Sorted(maps.Keys(places)); len(dirs) != 3 {
		t.Errorf("watched are %q", dirs)
	}
}
