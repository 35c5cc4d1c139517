package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rollcall-bot/rollcall/store"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// failing has every write to an open file answered with EIO, as a disk that dies
// does, until mend is called; what is mapped of it is read as before. It puts
// something else under the file's descriptor: the memory of this process, of
// which the addresses that are offsets in a small file are mapped in none.
func failing(t *testing.T, path string) (mend func()) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system has no file that answers EIO: ", err)
	}
	defer memory.Close()
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != path {
			continue
		}
		at, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := syscall.Dup(at) // holds the lock meanwhile
		if err != nil {
			t.Fatal(err)
		}
		put := func(fd int) {
			if err := syscall.Dup3(fd, at, syscall.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
		}
		put(int(memory.Fd()))
		return func() {
			put(kept)
			_ = syscall.Close(kept)
		}
	}
	t.Fatalf("%s is not open", path)
	return nil
}

// A disk that answers EIO takes no commit, says so, and shows everybody what is
// durable; when it is well again, so is the store, and the refused commit is new.
func TestADiskThatAnswersEIO(t *testing.T) {
	ctx := context.Background()
	path, err := filepath.EvalSymlinks(filled(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(path, store.Options{MapSize: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, size := range []int{1 << 20, 1, 2} { // leaves so much room in the file that it need not grow
		noise := make([]byte, size)
		_, _ = rand.Read(noise)
		if err := db.Commit(ctx, &record.Commit{Memos: []record.Memo{{Owner: "room", Key: "k", Value: noise}}}); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(last int) {
		t.Helper()
		heads, err := db.Pipelines(ctx)
		if err != nil || len(heads) != 2 || heads[0].Last != uint64(last) || heads[1].Last != uint64(last) {
			t.Errorf("want %d commits: %+v %v", last, heads, err)
		}
		if e, ok, err := db.Execution(ctx, crashID(last)); err != nil || !ok || e.Number != last {
			t.Errorf("the newest execution: %+v %v %v", e, ok, err)
		}
		if _, ok, err := db.Execution(ctx, crashID(last+1)); err != nil || ok {
			t.Errorf("there is one that was never committed: %v", err)
		}
	}
	for round := 3; round < 6; round++ {
		mend := failing(t, path)
		for range 2 {
			if err := db.Commit(ctx, crashCommit(round+1)); !errors.Is(err, syscall.EIO) {
				t.Errorf("a commit to a disk that answers EIO: %v", err)
			}
			whole(round)
		}
		mend()
		if err := db.Reopen(ctx); err != nil {
			t.Fatal(err)
		}
		whole(round)
		if err := db.Commit(ctx, crashCommit(round+1)); err != nil {
			t.Fatal(fmt.Errorf("after the disk is well again: %w", err))
		}
		whole(round + 1)
		if problems, err := db.Check(ctx); err != nil || len(problems) > 0 {
			t.Errorf("%v %q", err, problems)
		}
	}
}
