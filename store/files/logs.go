package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// OpenLog opens the log of an attempt for reading. No log yet: an empty one.
func (f *Files) OpenLog(execution, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	file, err := os.Open(f.logPath(execution, stage, action, attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return emptyLog{bytes.NewReader(nil)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of %s, attempt %d: %w", action, attempt, err)
	}
	return file, nil
}

type emptyLog struct{ *bytes.Reader }

func (emptyLog) Close() error { return nil }

func (f *Files) logPath(execution, stage, action string, attempt int) string {
	return filepath.Join(f.dir, "logs", fileName(execution), fileName(stage), fileName(action)+"."+strconv.Itoa(attempt)+".log")
}
