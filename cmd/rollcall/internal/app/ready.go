package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/datadir"
	"github.com/rollcall-bot/rollcall/workflows"
)

const (
	probeEvery   = time.Second
	probeTakes   = 4 * time.Second // at most
	probeRow     = 16 << 10        // bytes, as a large decision has
	probeFile    = 128 << 10       // bytes: the database can reuse room of its own when the disk has none
	probePattern = ".probe-*"
)

// probe says whether the service can decide and write. All who ask within a
// second share one look: strangers may ask as often as they like.
type probe struct {
	dir     string // the data folder
	started <-chan struct{}
	commit  func(ctx context.Context, row []byte) error
	log     *slog.Logger
	now     func() time.Time

	mu  sync.Mutex
	at  time.Time
	err error
}

// ready returns nil, or a sentence that strangers may read; the cause is in the log, once.
func (p *probe) ready(context.Context) error {
	select {
	case <-p.started:
	default:
		return notReady("the service is starting")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Sub(p.at) < probeEvery {
		return p.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTakes) // of nobody in particular
	defer cancel()
	cause := p.write()
	if cause == nil {
		cause = p.commit(ctx, bytes.Repeat([]byte{'.'}, probeRow))
	}
	was := p.err
	p.at, p.err = p.now(), nil
	if cause != nil {
		p.err = notReady("the data folder takes no write")
	}
	switch {
	case cause != nil && was == nil:
		p.log.Error("not ready: the data folder takes no write", "err", cause)
	case cause == nil && was != nil:
		p.log.Info("ready again")
	}
	return p.err
}

// write takes new room on the disk, durably, and gives it back.
func (p *probe) write() error {
	f, err := os.CreateTemp(p.dir, probePattern)
	if err != nil {
		return fmt.Errorf("creating a file in the data folder: %w", err)
	}
	_, err = f.Write(bytes.Repeat([]byte{'.'}, probeFile))
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if removing := os.Remove(f.Name()); err == nil {
		err = removing
	}
	if err != nil {
		return fmt.Errorf("writing to the data folder: %w", err)
	}
	return nil
}

// sweep removes what a crash left in the middle of a look, a backup or a restore.
func sweep(dir string) {
	datadir.Sweep(dir)
	left, _ := filepath.Glob(filepath.Join(dir, probePattern)) // the pattern is good
	for _, path := range left {
		_ = os.Remove(path) // what cannot be removed may lie there
	}
}

func notReady(why string) error {
	return &workflows.Problem{Code: workflows.CodeUnavailable, Message: why, Hint: "wait, and look into the service's log"}
}
