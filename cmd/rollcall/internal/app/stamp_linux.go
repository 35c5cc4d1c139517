package app

import (
	"io/fs"
	"syscall"
	"time"
)

// stamp tells whether a file may have changed, without reading it: size, time of
// the last write, time of the last change of any kind (which no program can set
// back), and inode. The zero stamp equals none.
type stamp [4]int64

// stampOf is the stamp of a file at now. A file that changed just before has none:
// as long as the file system's clock has not moved on (coarse: for 2 s), another
// write would leave the same one.
func stampOf(info fs.FileInfo, now time.Time, coarse bool) stamp {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}
	}
	tick := 100 * time.Millisecond
	if coarse {
		tick = 2 * time.Second
	}
	if changed := time.Unix(s.Ctim.Unix()); now.Sub(changed) < tick {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime().UnixNano(), s.Ctim.Nano(), int64(s.Ino)}
}
