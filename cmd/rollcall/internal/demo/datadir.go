package demo

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// dataDir is the demo's folder, taken by this process:
//
//	demo.json      who may come in, and what happened to the demo itself
//	rollcall.yaml  the service's configuration
//	pipelines/     its pipeline file
//	data/          its database, logs and artifacts
//	git/           the repository of the shop
//	shop/          the shop as it is deployed
//	*.snapshot     what is in the local Slack, GitHub and Jira
type dataDir struct {
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
	Terminal string `json:"terminal,omitempty"` // the API token of the command line

	File     string      `json:"file,omitempty"` // the pipeline file that is played here
	Address  string      `json:"address"`        // where the demo was last
	Pushes   []push      `json:"pushes,omitempty"`
	Restarts []time.Time `json:"restarts,omitempty"` // kills that the visitor asked for
	Controls controls    `json:"controls,omitzero"`
	Reset    bool        `json:"reset,omitempty"` // the next start begins anew
}

// push is a commit that the visitor had pushed.
type push struct {
	What   string `json:"what"`
	Commit string `json:"commit"`
}

func (p *dataDir) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// openDataDir makes the folder, or enters it again, and locks it.
func openDataDir(o Options) (*dataDir, error) {
	dir := o.Data
	if dir == "" {
		dir = ".rollcall-demo"
		if o.AWS {
			dir = filepath.Join(dir, "aws")
		}
		if o.File != "" {
			name := filepath.Base(o.File)
			dir = filepath.Join(dir, "files", strings.TrimSuffix(name, filepath.Ext(name)))
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the demo's folder: %w", err)
	}
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	p := &dataDir{dir: dir}
	if p.lock, err = os.OpenFile(p.path("lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("take the demo's folder: %w", err)
	}
	if err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = p.read()
		return nil, errors.Join(fmt.Errorf("another demo runs in %s, at http://%s: stop that one, or choose another folder with --data DIR", dir, p.note.Address), p.lock.Close())
	}
	played := o.File
	if o.AWS {
		played = playedAWS
	}
	if err := p.enter(played); err != nil {
		return nil, errors.Join(err, p.leave())
	}
	return p, nil
}

// checkEmpty refuses a folder that holds something else: a reset would remove
// it. Before demo.json is there, a demo leaves no more than the names below.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the demo's folder: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "demo.json")); err == nil {
		return nil
	}
	for _, e := range entries {
		if !slices.Contains([]string{"lock", ".gitignore", "files", "aws", "demo.json.next"}, e.Name()) {
			return fmt.Errorf("%s holds other things: choose a new folder with --data DIR", dir)
		}
	}
	return nil
}

// playedAWS stands where a folder names the pipeline file that is played in it.
const playedAWS = "pipelines in AWS"

// enter reads what the folder knows, or begins it.
func (p *dataDir) enter(file string) error {
	if file != "" && file != playedAWS {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return fmt.Errorf("find the pipeline file: %w", err)
		}
	}
	switch err := p.read(); {
	case err == nil && p.note.File == file && p.note.Reset:
		return p.empty()
	case err == nil && p.note.File == file:
		p.note.Terminal = orElse(p.note.Terminal, rand.Text()) // a folder of an earlier version has none
		return nil
	case err == nil:
		return fmt.Errorf("%s belongs to the demo of %s: choose another folder with --data DIR", p.dir, orElse(p.note.File, "the web shop"))
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	p.note = note{Key: rand.Text(), BotToken: "xoxb-demo-" + rand.Text(), Signing: rand.Text(), GitHub: rand.Text(), Hook: rand.Text(), Jira: rand.Text(), Terminal: rand.Text(), File: file}
	if err := os.WriteFile(p.path(".gitignore"), []byte("*\n"), 0o600); err != nil {
		return fmt.Errorf("begin the demo's folder: %w", err)
	}
	return nil
}

// empty removes everything but who may come in.
func (p *dataDir) empty() error {
	p.stopCommands(0)
	entries, err := os.ReadDir(p.dir)
	for _, e := range entries {
		if name := e.Name(); name != "lock" && name != "demo.json" && name != ".gitignore" && name != "files" && name != "aws" {
			err = errors.Join(err, os.RemoveAll(p.path(name)))
		}
	}
	if err != nil {
		return fmt.Errorf("empty the demo's folder: %w", err)
	}
	return p.write(func(n *note) { n.Reset = false })
}

func (p *dataDir) read() error {
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
func (p *dataDir) opened(addr string) error {
	return p.write(func(n *note) { n.Address = addr })
}

// write changes the notes, and the file with them.
func (p *dataDir) write(change func(*note)) error {
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
func (p *dataDir) known() note {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.note
	n.Pushes = append([]push(nil), n.Pushes...)
	n.Restarts = append([]time.Time(nil), n.Restarts...)
	n.Controls.Fail, n.Controls.Gates = slices.Clone(n.Controls.Fail), slices.Clone(n.Controls.Gates)
	return n
}

func (p *dataDir) leave() error { return p.lock.Close() }

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
