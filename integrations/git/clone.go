package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What a source may hold (CodePipeline's limits).
const (
	maxTreeBytes = 1 << 30
	maxTreeFiles = 100_000
)

// clone is a repository's copy, locked: one fetch at a time, in whatever
// process. git inherits the lock, so that a fetch which has lost its service
// still locks others out until it ends.
type clone struct {
	s    *Source
	p    remote
	dir  string
	ref  string // of the branch in the copy
	lock *os.File

	submodules int // of the tree that was measured last
}

// open waits for the lock of the remote's copy.
func (s *Source) open(ctx context.Context, p remote) (*clone, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	c := &clone{s: s, p: p, dir: filepath.Join(s.o.CacheDir, digest(p.url)+".git")}
	c.ref = "refs/heads/" + digest(p.branch) // never a/b beside a
	lock, err := os.OpenFile(c.dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the copy of %s: %w", p.repository, err)
	}
	c.lock = lock
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			lock.Close()
			return nil, fmt.Errorf("take the lock of the copy of %s: %w", p.repository, err)
		}
		select {
		case <-ctx.Done():
			lock.Close()
			return nil, fmt.Errorf("wait for another fetch of %s: %w", p.repository, ctx.Err())
		case <-again.C:
		}
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// git runs a command on the copy.
func (c *clone) git(ctx context.Context, verb string, args ...string) (string, error) {
	return c.s.git(ctx, c.p, call{args: append([]string{verb}, args...), env: []string{"GIT_DIR=" + c.dir}, lock: c.lock})
}

// release unlocks the copy. After an error that says that the copy is
// damaged, by a crash or a disk, it goes away, and the next try makes a new one.
func (c *clone) release(err error) {
	if damaged(err) {
		c.s.o.Log.Warn("the copy of a repository is damaged and will be made anew", "repository", c.p.repository, "why", err)
		if err := os.RemoveAll(c.dir); err != nil {
			c.s.o.Log.Error("a damaged copy of a repository cannot be removed", "folder", c.dir, "why", err)
		}
	}
	c.lock.Close()
}

// checkout writes the commit's tree into dir, which is made anew.
func (c *clone) checkout(ctx context.Context, sha, dir, index string) error {
	if err := c.measure(ctx, sha); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(index), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("prepare the run folder: %w", err)
	}
	env := []string{"GIT_DIR=" + c.dir, "GIT_WORK_TREE=" + dir, "GIT_INDEX_FILE=" + index}
	for _, args := range [][]string{{"read-tree", sha}, {"checkout-index", "--all", "--quiet"}} {
		if _, err := c.s.git(ctx, c.p, call{args: args, env: env, lock: c.lock}); err != nil {
			return fmt.Errorf("check commit %s out: %w", sha, err)
		}
	}
	return nil
}

// notFetched lists what a checkout names but does not contain.
func (c *clone) notFetched(ctx context.Context, sha string) (lines []string) {
	if c.submodules > 0 {
		lines = append(lines, fmt.Sprintf("submodules are not fetched: %d are empty folders here; add their repositories as sources of their own", c.submodules))
	}
	if _, err := c.git(ctx, "grep", "--quiet", "filter=lfs", sha, "--", ":(glob)**/.gitattributes"); err == nil {
		lines = append(lines, "files in Git LFS are not fetched: they are small texts that point to them; run git lfs pull in a command that needs them")
	}
	return lines
}

// measure refuses a tree that is too large before it fills the disk.
func (c *clone) measure(ctx context.Context, sha string) error {
	var s treeSize
	_, err := c.s.git(ctx, c.p, call{args: []string{"ls-tree", "-r", "-l", sha}, env: []string{"GIT_DIR=" + c.dir}, lock: c.lock, out: &s})
	if err != nil {
		return err
	}
	c.submodules = s.submodules
	if s.size > maxTreeBytes || s.files > maxTreeFiles {
		return &workflows.Problem{
			Code:    workflows.CodeConflict,
			Message: fmt.Sprintf("commit %s of %s has %d files with %d bytes; at most %d files and %d bytes can be a source", sha, c.p.repository, s.files, s.size, maxTreeFiles, maxTreeBytes),
		}
	}
	return nil
}

// treeSize adds up what git ls-tree -l lists: mode, type, object, size, tab, path.
type treeSize struct {
	line       []byte
	files      int
	submodules int
	size       int64
}

// Write takes any piece of the list.
func (s *treeSize) Write(p []byte) (int, error) {
	n := len(p)
	for {
		head, rest, whole := bytes.Cut(p, []byte("\n"))
		s.line = append(s.line, head...)
		if !whole {
			return n, nil
		}
		if fields := bytes.Fields(s.line); len(fields) > 3 {
			size, err := strconv.ParseInt(string(fields[3]), 10, 64)
			if err != nil { // "-"
				s.submodules++
			}
			s.size += size
			s.files++
		}
		s.line, p = s.line[:0], rest
	}
}
