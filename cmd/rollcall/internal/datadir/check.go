package datadir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What can be wrong with a data folder.
const (
	ofDatabase = "database" // its rows, its indexes, or the chain of its log
	ofState    = "state"    // what is decided by does not follow from the log
	ofArtifact = "artifact" // not what it was when it was written
	ofMissing  = "missing"  // an artifact that may be needed is not there
	ofOrphan   = "orphan"   // an artifact that no execution refers to; nothing is wrong by it
)

// orphanAge is how old an artifact is before it counts as an orphan: what is being
// written now is referred to later.
const orphanAge = 24 * time.Hour

// Fault is one thing that is wrong.
type Fault struct {
	Kind string // database|state|artifact|missing|orphan
	What string
}

// Explain says what faults of this kind mean and what to do about them.
func (f Fault) Explain() (means, do string) {
	switch f.Kind {
	case ofDatabase:
		return "rows of the database were damaged or edited after they were written; what the service decides by may be wrong",
			"restore the newest backup that is sound: rollcall restore FILE says of each whether it is"
	case ofState:
		return "what the service decides by does not follow from its own log",
			"restore the newest backup that is sound, and report this with the lines above"
	case ofArtifact:
		return "an archive is not what an action left: what needs it fails when it is read, and nothing of it is deployed",
			"copy the file of that name from the artifacts/ of a backup, or remove it and build again"
	}
	if f.Kind == ofOrphan {
		return "an artifact is kept that no execution refers to; it takes room, and nothing else is wrong by it",
			"nothing: retention.artifacts removes it; without that remove it by hand"
	}
	return "an archive is gone that a running execution or a rollback may need: these fail, everything else goes on",
		"copy the file of that name into artifacts/ from a backup, or build again"
}

// Wrong says whether something is wrong: an orphan is only of no use.
func (f Fault) Wrong() bool { return f.Kind != ofOrphan }

// damagedBy are the faults that make a data folder unusable: all but what is missing
// beside it, or of no use.
func damagedBy(all []Fault) (what []string) {
	for _, f := range all {
		if f.Kind != ofMissing && f.Kind != ofOrphan {
			what = append(what, f.What)
		}
	}
	return what
}

// Check reads everything in a data folder: the rows and indexes of the database,
// the chain of hashes of its log; it folds every pipeline's log from its beginning and
// compares that with the checkpoint and the rows; and it compares the artifacts with their
// checksums, and looks for those that may be needed, and for those that nothing refers to. It holds one pipeline in memory at a
// time. What is wrong is in the faults; the error says only that it could not look.
// elsewhere says what is kept besides the folder.
func Check(ctx context.Context, dir string, db *store.DB, elsewhere Elsewhere) (faults []Fault, err error) {
	rows, err := db.Check(ctx)
	if err != nil {
		return nil, err
	}
	for _, what := range rows {
		faults = append(faults, Fault{ofDatabase, what})
	}
	heads, err := db.Pipelines(ctx)
	if err != nil {
		return append(faults, Fault{ofDatabase, err.Error()}), nil
	}
	of := artifacts{needed: map[string][]string{}, referred: map[string]bool{}}
	for _, h := range heads {
		if err := ctx.Err(); err != nil {
			return faults, err
		}
		f := folding{db: db, pipeline: h.Pipeline, artifacts: &of}
		faults = append(faults, f.check(ctx)...)
	}
	damaged, err := of.check(ctx, filepath.Join(dir, "artifacts"))
	faults = append(faults, damaged...)
	return append(faults, of.compare(elsewhere)...), err
}

// Elsewhere is what is kept in another place than the data folder, such as a bucket.
type Elsewhere struct {
	Below []string      // what was looked at, as its places begin; none: there is nothing, or it could not be asked
	At    time.Time     // when
	All   []work.Stored // by [workflows.Artifact.Place]
}

// artifacts are what executions refer to, by digest where it is in the folder, and by
// place where it is elsewhere.
type artifacts struct {
	needed   map[string][]string // who may need it still
	referred map[string]bool
}

// refer notes what an execution refers to.
func (a *artifacts) refer(x *workflows.Execution) {
	for _, one := range x.Artifacts {
		a.referred[one.Digest] = true
		a.referred[one.Place()] = true
	}
}

// compare names what is kept elsewhere and not referred to, and what may be needed
// and is not there.
func (a *artifacts) compare(e Elsewhere) (faults []Fault) {
	there := map[string]bool{}
	for _, one := range e.All {
		there[one.Name] = true
		if !a.referred[one.Name] && one.At.Before(e.At.Add(-orphanAge)) {
			faults = append(faults, Fault{ofOrphan, fmt.Sprintf("artifact %s is of no execution", one.Name)})
		}
	}
	for place, by := range a.needed {
		if !there[place] && slices.ContainsFunc(e.Below, func(begin string) bool { return strings.HasPrefix(place, begin) }) {
			faults = append(faults, Fault{ofMissing, fmt.Sprintf("artifact %s is missing, which %s may need", place, by[0])})
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.What, b.What) })
	return faults
}

// check compares every archive of a folder with the digest that it is named by, and names
// the needed ones that are not there.
func (a *artifacts) check(ctx context.Context, dir string) (faults []Fault, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		digest, ok := strings.CutSuffix(strings.TrimSuffix(e.Name(), ".zip"), ".tar.gz")
		if !ok && !strings.HasSuffix(e.Name(), ".zip") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return faults, err
		}
		delete(a.needed, digest)
		if sum, err := digestOf(filepath.Join(dir, e.Name())); err != nil {
			faults = append(faults, Fault{ofArtifact, fmt.Sprintf("artifact %s cannot be read: %v", digest, err)})
		} else if sum != digest {
			faults = append(faults, Fault{ofArtifact, fmt.Sprintf("artifact %s was changed after it was written: its checksum is %s", digest, sum)})
		}
	}
	for digest, by := range a.needed {
		if strings.Contains(digest, "://") {
			continue // of another place
		}
		faults = append(faults, Fault{ofMissing, fmt.Sprintf("artifact %s is missing, which %s may need", digest, by[0])})
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.What, b.What) })
	return faults, nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
