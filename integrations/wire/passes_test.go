package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

type says bool

func (says) Error() string  { return "it says so itself" }
func (s says) Passes() bool { return bool(s) }

func TestPasses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("no"), false},
		{fs.ErrNotExist, false},
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, true},
		{fmt.Errorf("pack: %w", says(true)), true},
		{fmt.Errorf("pack: %w", says(false)), false},
	} {
		if got := TransientIO(c.err); got != c.want {
			t.Errorf("%v passes: %t, want %t", c.err, got, c.want)
		}
	}
}
