// Package files keeps artifacts, logs and run folders as files.
package files

import (
	"errors"
	"io"

	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Options bounds what an artifact may hold. The zero value is right for the service.
type Options struct {
	MaxBytes int64 // of an artifact's files together, unpacked; 0: 8 GiB
	MaxFiles int   // files, folders and links in an artifact; 0: 500,000
}

// Files keeps artifacts, logs and run folders in one data folder.
type Files struct{}

// Open prepares dir and returns its files.
func Open(dir string, o Options) (*Files, error) { return nil, errors.ErrUnsupported }

// Workspace returns the task's workspace.
func (f *Files) Workspace(t work.Task) (work.Workspace, error) { return nil, errors.ErrUnsupported }

// Release removes the task's run folder.
func (f *Files) Release(t work.Task) error { return errors.ErrUnsupported }

// OpenLog opens the log of an attempt.
func (f *Files) OpenLog(execution, stage, action string, attempt int) (io.ReadSeekCloser, error) {
	return nil, errors.ErrUnsupported
}
