package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// filesOwner is the owner of the memos that say what a pipeline file holds, by its path.
const filesOwner = "pipeline-files"

// contents is what a pipeline file holds, as far as it must be known while the
// file is what it was. In JSON it is the memo by which a restart knows the file
// without parsing it. It follows from the bytes of the file and of its templates
// alone, so it is never wrong, only outdated; a broken file has no memo.
type contents struct {
	Reading    string            `json:"reading"`              // the program that read it
	Stamp      stamp             `json:"stamp,omitzero"`       // zero: the file is read again, and compared by its digest
	Digest     string            `json:"digest"`               // of its bytes
	Extends    map[string]string `json:"extends,omitempty"`    // digests of the templates, by path relative to the folder
	Pipeline   string            `json:"pipeline,omitempty"`   // that it defines; empty: it is a template
	Definition string            `json:"definition,omitempty"` // its digest
	Warnings   []string          `json:"warnings,omitempty"`
	Who        []string          `json:"who,omitempty"`      // that the definition names, see [workflows.Principal]
	AWS        []string          `json:"aws,omitempty"`      // providers that work in AWS
	Bucket     []string          `json:"bucket,omitempty"`   // those of them that need artifacts in S3
	ByEvents   []string          `json:"byEvents,omitempty"` // what of it starts it by events of AWS only
	InJira     []string          `json:"inJira,omitempty"`   // gates that are answered in Jira, "Production/SignOff"

	faults   []spec.Diagnostic // of a broken file
	stored   bool              // as a memo
	template bool
}

// reading is a pipeline file in one look at the folder.
type reading struct {
	path string
	*contents
	fresh    bool                // not read before, or changed since
	pipeline *workflows.Pipeline // nil: not parsed in this look
	refused  *spec.Diagnostic    // why it counts as broken although it is not
}

func (r *reading) isBroken() bool { return r.refused != nil || len(r.faults) > 0 }

// list returns the paths of all pipeline files, sorted.
func (d *definitions) list() (paths []string, err error) {
	d.links = nil
	entries, err := os.ReadDir(d.config.Pipelines)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the pipelines folder: %w", err)
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".yaml", ".yml", ".json":
		default:
			continue
		}
		if stem := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())); e.IsDir() || strings.HasPrefix(stem, ".") || strings.HasSuffix(stem, ".test") {
			continue // a test of a pipeline lies beside it
		}
		path := filepath.Join(d.config.Pipelines, e.Name())
		if paths = append(paths, path); e.Type()&fs.ModeSymlink != 0 {
			d.links = append(d.links, path)
		}
	}
	return paths, nil
}

// loadKnown reads what was known of the files when the service last ran.
func (d *definitions) loadKnown(ctx context.Context) error {
	memos, err := d.engine.MemosOf(filesOwner).List(ctx, "")
	if err != nil {
		return fmt.Errorf("read what is known of the pipeline files: %w", err)
	}
	d.known, d.saved = map[string]*contents{}, make(map[string][]byte, len(memos))
	for _, m := range memos {
		d.saved[m.Key] = m.Value
	}
	return nil
}

// readAll looks at every file, and parses those that are not known.
func (d *definitions) readAll(paths []string, templates *templateCache) ([]*reading, error) {
	all := make([]*reading, len(paths))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	const each = 64 // files a goroutine
	for from := 0; from < len(paths); from += each {
		g.Go(func() (err error) {
			for i := from; i < min(from+each, len(paths)) && err == nil; i++ {
				all[i], err = d.readOne(paths[i], templates)
			}
			return err
		})
	}
	return all, g.Wait()
}

func (d *definitions) readOne(path string, templates *templateCache) (*reading, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read a pipeline file: %w", err)
	}
	c, at := d.knownOf(path), stampOf(info, time.Now(), d.coarse)
	if c != nil && c.Stamp == at && at != (stamp{}) && templates.unchanged(c.Extends) {
		return &reading{path: path, contents: c}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a pipeline file: %w", err)
	}
	if c != nil && c.Digest == digestOf(data) && templates.unchanged(c.Extends) {
		same := *c
		same.Stamp = at
		return &reading{path: path, contents: &same}, nil
	}
	r := d.parse(path, data, templates)
	r.Stamp = at // of before the bytes were read
	return r, nil
}

// knownOf is what was last known of a file; nil: nothing.
func (d *definitions) knownOf(path string) *contents {
	if c := d.known[path]; c != nil {
		return c
	}
	c := &contents{}
	if raw := d.saved[path]; len(raw) == 0 || json.Unmarshal(raw, c) != nil || c.Reading != d.reading {
		return nil
	}
	c.Reading, c.stored, c.template = d.reading, true, c.Pipeline == ""
	return c
}

// parse reads a pipeline file; a template alone is none, and may be broken all the same.
func (d *definitions) parse(path string, data []byte, templates *templateCache) *reading {
	r := &reading{path: path, fresh: true, contents: &contents{Reading: d.reading, Digest: digestOf(data), Extends: map[string]string{}}}
	var found []spec.Diagnostic
	if r.template = spec.IsTemplate(data); r.template {
		found = spec.CheckTemplate(path, data)
	} else {
		r.pipeline, found = spec.ParseWith(path, data, func(name string) ([]byte, error) { return templates.openFor(r.contents, name) })
	}
	for _, g := range found {
		if g.Warning {
			r.Warnings = append(r.Warnings, g.String())
		} else {
			r.faults = append(r.faults, g)
		}
	}
	if p := r.pipeline; p != nil {
		r.Pipeline, r.Definition, r.Who, r.AWS, r.Bucket = p.Name, p.Digest(), access.NamedIn(p), spec.NeedsAWS(p), spec.NeedsBucket(p)
		r.ByEvents, r.InJira = byEvents(p), gatesInJira(p)
	}
	return r
}

// parsed is the pipeline of a file that is known, and must be defined all the same.
func (d *definitions) parsed(r *reading, templates *templateCache) (*workflows.Pipeline, error) {
	if r.pipeline != nil {
		return r.pipeline, nil
	}
	data, err := os.ReadFile(r.path)
	if err != nil {
		return nil, fmt.Errorf("read a pipeline file: %w", err)
	}
	again := d.parse(r.path, data, templates)
	if again.Digest != r.Digest || again.pipeline == nil {
		return nil, fmt.Errorf("%s changes while it is read", r.path)
	}
	return again.pipeline, nil
}

// saveKnown makes durable what the files hold, in one commit, or none when nothing
// is new.
func (d *definitions) saveKnown(ctx context.Context, all []*reading) error {
	memos := map[string][]byte{}
	for path := range d.saved {
		memos[path] = nil // unless the file is there, and in order
	}
	for _, r := range all {
		delete(memos, r.path)
		switch {
		case len(r.faults) > 0:
			if d.saved[r.path] != nil {
				memos[r.path] = nil
			}
		case !r.stored:
			memos[r.path] = record.NewMemo(filesOwner, r.path, r.contents).Value
		}
	}
	if len(memos) > 0 {
		if err := d.engine.MemosOf(filesOwner).NoteAll(ctx, memos); err != nil {
			return err
		}
	}
	d.known, d.saved = make(map[string]*contents, len(all)), map[string][]byte{}
	for _, r := range all {
		if len(r.faults) == 0 {
			r.stored, d.saved[r.path] = true, []byte{}
		}
		d.known[r.path] = r.contents
	}
	return nil
}

// templateCache holds the templates that were opened in one look, so that all of it
// is of the same moment.
type templateCache struct {
	folder string

	mu     sync.Mutex
	opened map[string]template // by path relative to the folder
}

type template struct {
	data   []byte
	digest string
	err    error
}

// read reads a template, by its path relative to the folder; what leads out of the folder is refused.
func (s *templateCache) read(name string) template {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.opened[name]
	if !known {
		if root, err := os.OpenRoot(s.folder); err != nil {
			t.err = err
		} else {
			t.data, t.err = root.ReadFile(name)
			_ = root.Close()
		}
		if t.err == nil {
			t.digest = digestOf(t.data)
		}
		s.opened[name] = t
	}
	return t
}

// openFor reads a template for a file, and notes that the file depends on it.
func (s *templateCache) openFor(c *contents, path string) ([]byte, error) {
	name, err := filepath.Rel(s.folder, path)
	if err != nil {
		return nil, err
	}
	t := s.read(name)
	c.Extends[name] = t.digest
	return t.data, t.err
}

// unchanged says whether templates are what they were; the digest of one that cannot be read is empty.
func (s *templateCache) unchanged(extends map[string]string) bool {
	for name, digest := range extends {
		if s.read(name).digest != digest {
			return false
		}
	}
	return true
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
