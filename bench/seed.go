package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rollcall-bot/rollcall/bench/fill"
)

// seed is a folder filled by the plan, made once. A binary that does not read
// what today's store writes fills it itself, with a git fetch per pipeline.
func (s *suite) seed(ctx context.Context, sub subject, p fill.Plan) (string, error) {
	key := fmt.Sprintf("seed-%d-%d-%v", p.Pipelines, p.Finished, p.Parked)
	if dir, known := s.seeds[sub.name+key]; known {
		return dir, nil
	}
	dir, known := s.seeds[key]
	if !known {
		dir = filepath.Join(s.keep, key)
		if err := s.fill(ctx, dir, p); err != nil {
			return "", err
		}
		s.seeds[key] = dir
	}
	reads, err := s.reads(ctx, sub, dir)
	if err != nil {
		return "", err
	}
	if !reads {
		if p.Finished > 0 {
			return "", fmt.Errorf("%w: %s does not read the database that today's store writes, and would take hours to finish %d executions itself", errSkipped, sub.path, p.Finished)
		}
		dir = filepath.Join(s.dir, sub.name+key)
		if err := s.fillThrough(ctx, sub, dir, p); err != nil {
			return "", err
		}
	}
	s.seeds[sub.name+key] = dir
	return dir, nil
}

// repository is where the pipelines' source is.
func (s *suite) repository() string {
	return "file://" + filepath.Join(s.keep, "repository")
}

// fill makes a folder, unless an earlier run has left it whole. Pipelines are
// defined from files in it, so it cannot be moved.
func (s *suite) fill(ctx context.Context, dir string, p fill.Plan) error {
	whole := filepath.Join(dir, "whole")
	if _, err := os.Stat(whole); err == nil {
		return nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	if err := fill.Folder(ctx, dir, s.repository(), p); err != nil {
		return err
	}
	return os.WriteFile(whole, nil, 0o600)
}

// reads says whether the binary serves a copy of the folder.
func (s *suite) reads(ctx context.Context, sub subject, seed string) (bool, error) {
	if s.base == "" || sub.name != "base" {
		return true, nil
	}
	at, err := begin(seed, filepath.Join(s.dir, "try"))
	if err != nil {
		return false, err
	}
	defer at.remove()
	v, err := s.serve(ctx, sub, at, extra{})
	if err != nil {
		return false, nil //nolint:nilerr // it does not serve: that is the answer
	}
	return true, v.stop()
}

// fillThrough has the binary define and park the pipelines itself.
func (s *suite) fillThrough(ctx context.Context, sub subject, dir string, p fill.Plan) error {
	if err := errors.Join(s.makeRepository(ctx), os.MkdirAll(filepath.Join(dir, "pipelines"), 0o700)); err != nil {
		return err
	}
	for i := range p.Pipelines {
		name := fill.Name(i)
		if err := os.WriteFile(filepath.Join(dir, "pipelines", name+".yaml"), []byte(fill.Definition(name, s.repository())), 0o600); err != nil {
			return err
		}
	}
	v, err := s.serve(ctx, sub, place{dir, filepath.Join(dir, "pipelines")}, extra{})
	if err != nil {
		return err
	}
	if !p.Parked {
		return v.stop()
	}
	feed, err := v.follow(ctx, "")
	if err != nil {
		return err
	}
	err = parallel(8, p.Pipelines, func(i int) error {
		return v.call(ctx, "POST", "/api/v1/pipelines/"+fill.Name(i)+"/executions", map[string]any{}, nil)
	})
	if err == nil {
		err = feed.until(ctx, func() bool { return feed.gates >= p.Pipelines })
	}
	return errors.Join(err, v.stop())
}

// makeRepository makes a repository of one commit.
func (s *suite) makeRepository(ctx context.Context) error {
	dir := strings.TrimPrefix(s.repository(), "file://")
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=me", "-c", "user.email=me@acme.example", "commit", "-q", "-m", "Add a"}} {
		c := exec.CommandContext(ctx, "git", args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

// place is where a service works: its own folder, and the pipeline files, which
// stay where they were defined from.
type place struct{ dir, pipelines string }

func (p place) data() string { return filepath.Join(p.dir, "data") }

func (p place) remove() { os.RemoveAll(p.dir) }

// begin copies what a seed has in its data folder to a new place.
func begin(seed, dir string) (place, error) {
	p := place{dir, filepath.Join(seed, "pipelines")}
	if err := os.MkdirAll(p.data(), 0o700); err != nil {
		return p, err
	}
	if _, err := os.Stat(filepath.Join(seed, "data")); errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	return p, os.CopyFS(p.data(), os.DirFS(filepath.Join(seed, "data")))
}
