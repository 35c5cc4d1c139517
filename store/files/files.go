package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options says where artifacts are kept, and bounds what one may hold, packed
// here or unpacked. The zero value keeps them in the data folder.
type Options struct {
	MaxBytes int64 // of an artifact's files together, unpacked; 0: 8 GiB
	MaxFiles int   // files, folders and links in an artifact; 0: 500,000
	// Artifacts is where artifacts are kept; the folder is a cache then. nil: in the folder.
	Artifacts Artifacts
	// CacheBytes is how much the copies in the folder may take then; 0: 10 GiB.
	CacheBytes int64
}

const (
	defaultMaxBytes = 8 << 30
	defaultMaxFiles = 500_000
	defaultCache    = 10 << 30
	// leftover is how old a half-written file must be to be of nobody.
	leftover = 24 * time.Hour
	// partial begins the names of files that are being written.
	partial = ".partial-"
)

// Files keeps artifacts, logs and run folders in one data folder. Its methods
// may be called from any goroutine.
type Files struct {
	dir     string // absolute
	host    string
	options Options
	pins    pins
}

// Open prepares the data folder, mode 0700, and returns its files. Half-written
// files that a crash left there are removed when they are a day old.
func Open(dir string, o Options) (*Files, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = defaultMaxFiles
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCache
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	f := &Files{dir: abs, options: o}
	for _, name := range []string{"artifacts", "logs", "runs"} {
		if err := os.MkdirAll(filepath.Join(abs, name), 0o700); err != nil {
			return nil, fmt.Errorf("data folder %s: %w", dir, err)
		}
	}
	if err := f.knowHost(); err != nil {
		return nil, err
	}
	return f, f.tidy()
}

func (f *Files) tidy() error {
	entries, err := os.ReadDir(filepath.Join(f.dir, "artifacts"))
	if err != nil {
		return fmt.Errorf("artifacts: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), partial) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > leftover {
			// A file that cannot be removed today is tried again at the next start.
			_ = os.Remove(filepath.Join(f.dir, "artifacts", e.Name()))
		}
	}
	return nil
}

// longestName leaves room for a suffix within what file systems allow.
const longestName = 150

// fileName makes a name safe as one element of a path. The names that rollcall
// accepts stay as they are; different names stay different.
func fileName(name string) string {
	var out strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '@', c == '.' && i > 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	s := out.String()
	if s == "" {
		return "%"
	}
	if len(s) > longestName {
		sum := sha256.Sum256([]byte(name))
		s = s[:longestName-33] + "%" + hex.EncodeToString(sum[:16])
	}
	return s
}
