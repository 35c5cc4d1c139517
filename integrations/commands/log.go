package commands

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
)

// boundedLog is where output goes: masked first, then cut to size. It keeps
// the beginning and, written when it closes, the end, because errors tend to
// stand there. Writing never fails; a full disk loses log, not the run.
type boundedLog struct {
	mu      sync.Mutex
	mask    *mask
	file    io.WriteCloser
	left    int64  // bytes that the beginning may still have
	tail    []byte // the newest bytes after the beginning
	keep    int    // how long the tail may be
	dropped int64  // bytes that went through the tail and out
}

// openLog appends to the log at path: at most limit bytes of output and a few lines of notes.
func openLog(path string, limit int64, secrets []string) (*boundedLog, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return newLog(file, limit, secrets), nil
}

func newLog(file io.WriteCloser, limit int64, secrets []string) *boundedLog {
	keep := min(limit/4, 64<<10)
	l := &boundedLog{file: file, left: limit - keep, keep: int(keep)}
	l.mask = newMask(secrets, l.cut)
	return l
}

// Write takes output.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mask.write(p)
	return len(p), nil
}

// Note adds a line of rollcall's own.
func (l *boundedLog) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mask.write([]byte("[rollcall] " + text + "\n"))
}

// cut takes masked output: to the file while the beginning lasts, then to the tail.
func (l *boundedLog) cut(p []byte) {
	head := p[:min(int64(len(p)), l.left)]
	l.left -= int64(len(head))
	_, _ = l.file.Write(head)
	l.tail = append(l.tail, p[len(head):]...)
	if len(l.tail) > 2*l.keep { // not at every byte
		l.shorten()
	}
}

// shorten drops all but the newest bytes of the tail.
func (l *boundedLog) shorten() {
	if over := len(l.tail) - l.keep; over > 0 {
		l.dropped += int64(over)
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
}

// Close writes what was held back, and the end of the output behind a note
// about what is missing.
func (l *boundedLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mask.flush()
	l.shorten()
	if l.dropped > 0 {
		if i := bytes.IndexByte(l.tail, '\n'); i >= 0 {
			l.dropped += int64(i + 1)
			l.tail = l.tail[i+1:]
		}
		_, _ = fmt.Fprintf(l.file, "\n[rollcall] the log is full: %d bytes are left out here\n", l.dropped)
	}
	_, _ = l.file.Write(l.tail)
	return l.file.Close()
}
