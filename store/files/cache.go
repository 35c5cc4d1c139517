package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cached is a copy of an artifact that is kept elsewhere.
type cached struct {
	digest string
	info   fs.FileInfo
}

// shrink removes the copies that were used longest ago, until the others take no
// more than they may. Those of tasks whose outcome is not durable yet stay, and
// so does what was packed before artifacts were kept elsewhere: no zip is that.
func (f *Files) shrink() error {
	entries, err := os.ReadDir(filepath.Join(f.dir, "artifacts"))
	if err != nil {
		return fmt.Errorf("list the artifacts: %w", err)
	}
	var all []cached
	room := f.options.CacheBytes
	for _, e := range entries {
		digest, ok := strings.CutSuffix(e.Name(), ".zip")
		info, err := e.Info()
		if !ok || err != nil { // it is gone
			continue
		}
		room -= info.Size()
		all = append(all, cached{digest, info})
	}
	slices.SortFunc(all, func(a, b cached) int { return a.info.ModTime().Compare(b.info.ModTime()) }) // reading one renews it
	f.pins.mu.Lock()
	defer f.pins.mu.Unlock()
	for _, c := range all[:max(len(all)-1, 0)] { // what came last is about to be read
		if room >= 0 {
			break
		}
		if f.pins.pinned(c.digest) {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, "artifacts", c.info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the copy of artifact %s: %w", c.digest, err)
		}
		room += c.info.Size()
	}
	return nil
}

// renew notes that a copy was used now. Where that fails, it only goes sooner.
func (f *Files) renew(digest string) {
	folder, err := os.OpenRoot(filepath.Join(f.dir, "artifacts"))
	if err != nil {
		return
	}
	defer folder.Close()
	now := time.Now()
	_ = folder.Chtimes(digest+".zip", now, now)
}
