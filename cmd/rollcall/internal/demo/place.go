package demo

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// place is the demo's folder, taken by this process:
//
//	demo.json      who may come in, and what happened to the demo itself
//	rollcall.yaml  the service's configuration
//	pipelines/     its pipeline file
//	data/          its database, logs and artifacts
//	git/           the repository of the shop
//	shop/          the shop as it is deployed
//	*.snapshot     what is in the local Slack, GitHub and Jira
type place struct {
	dir  string // absolute
	lock *os.File

	mu   sync.Mutex // guards note
	note note
}

// note is demo.json.
type note struct {
	Key      string `json:"key"` // lets a browser in
	BotToken string `json:"botToken"`
	Signing  string `json:"signing"`
	GitHub   string `json:"github"`
	Hook     string `json:"hook"`
	Jira     string `json:"jira"`

	File     string      `json:"file,omitempty"` // the pipeline file that is played here
	Address  string      `json:"address"`        // where the demo was last
	Pushes   []push      `json:"pushes,omitempty"`
	Restarts []time.Time `json:"restarts,omitempty"` // kills that the visitor asked for
	Reset    bool        `json:"reset,omitempty"`    // the next start begins anew
}

// push is a commit that the visitor had pushed.
type push struct {
	What   string `json:"what"`
	Commit string `json:"commit"`
}

func (p *place) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// takePlace makes the folder, or enters it again, and locks it.
func takePlace(o Options) (*place, error) {
	dir := o.Data
	if dir == "" {
		dir = ".rollcall-demo"
		if o.File != "" {
			name := filepath.Base(o.File)
			dir = filepath.Join(dir, "files", strings.TrimSuffix(name, filepath.Ext(name)))
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the demo's folder: %w", err)
	}
	if err := strange(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	p := &place{dir: dir}
	if p.lock, err = os.OpenFile(p.path("lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("take the demo's folder: %w", err)
	}
	if err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = p.read()
		return nil, errors.Join(fmt.Errorf("another demo runs in %s, at http://%s: stop that one, or choose another folder with --data DIR", dir, p.note.Address), p.lock.Close())
	}
	if err := p.enter(o.File); err != nil {
		return nil, errors.Join(err, p.leave())
	}
	return p, nil
}

// strange refuses a folder that holds something else.
func strange(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the demo's folder: %w", err)
	}
	for _, name := range []string{"demo.json", "lock", "files"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s holds other things: choose a new folder with --data DIR", dir)
}

// enter reads what the folder knows, or begins it.
func (p *place) enter(file string) error {
	if file != "" {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return fmt.Errorf("find the pipeline file: %w", err)
		}
	}
	switch err := p.read(); {
	case err == nil && p.note.File == file && p.note.Reset:
		return p.empty()
	case err == nil && p.note.File == file:
		return nil
	case err == nil:
		return fmt.Errorf("%s belongs to the demo of %s: choose another folder with --data DIR", p.dir, orElse(p.note.File, "the web shop"))
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	p.note = note{Key: rand.Text(), BotToken: "xoxb-demo-" + rand.Text(), Signing: rand.Text(), GitHub: rand.Text(), Hook: rand.Text(), Jira: rand.Text(), File: file}
	if err := os.WriteFile(p.path(".gitignore"), []byte("*\n"), 0o600); err != nil {
		return fmt.Errorf("begin the demo's folder: %w", err)
	}
	return nil
}

// empty removes everything but who may come in.
func (p *place) empty() error {
	p.finish(0)
	entries, err := os.ReadDir(p.dir)
	for _, e := range entries {
		if name := e.Name(); name != "lock" && name != "demo.json" && name != ".gitignore" && name != "files" {
			err = errors.Join(err, os.RemoveAll(p.path(name)))
		}
	}
	if err != nil {
		return fmt.Errorf("empty the demo's folder: %w", err)
	}
	return p.write(func(n *note) { n.Reset = false })
}

func (p *place) read() error {
	data, err := os.ReadFile(p.path("demo.json"))
	if err != nil {
		return fmt.Errorf("read the demo's notes: %w", err)
	}
	if err := json.Unmarshal(data, &p.note); err != nil {
		return fmt.Errorf("%s is damaged (%w): remove the folder %s", p.path("demo.json"), err, p.dir)
	}
	return nil
}

// opened notes where the demo is now.
func (p *place) opened(addr string) error {
	return p.write(func(n *note) { n.Address = addr })
}

// write changes the notes, and the file with them.
func (p *place) write(change func(*note)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.note)
	data, err := json.MarshalIndent(p.note, "", "  ")
	if err != nil {
		return fmt.Errorf("write the demo's notes: %w", err)
	}
	return replace(p.path("demo.json"), data)
}

// known is a copy of the notes.
func (p *place) known() note {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.note
	n.Pushes = append([]push(nil), n.Pushes...)
	n.Restarts = append([]time.Time(nil), n.Restarts...)
	return n
}

func (p *place) leave() error { return p.lock.Close() }

// replace writes a file that only its owner may read, whole or not at all.
func replace(path string, data []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
