package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// kept is a neighbour whose memory is a file, so that it outlives a kill.
type kept struct {
	name     string
	snapshot func() ([]byte, error)
	restore  func([]byte) error

	mu   sync.Mutex // guards last, and the file
	last []byte
}

// saveEvery is how much of what was said may be lost at a kill from outside.
const saveEvery = 100 * time.Millisecond

// restore gives the neighbours their memory back.
func (d *Demo) restore() error {
	d.kept = []*kept{
		{name: "slack", snapshot: d.slack.Snapshot, restore: d.slack.Restore},
		{name: "github", snapshot: d.github.Snapshot, restore: d.github.Restore},
		{name: "jira", snapshot: d.jira.Snapshot, restore: d.jira.Restore},
	}
	for _, k := range d.kept {
		data, err := os.ReadFile(d.place.path(k.name + ".snapshot"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = k.restore(data)
		}
		if err != nil {
			return fmt.Errorf("what the local %s knew cannot be read (%w): remove the folder %s", k.name, err, d.place.dir)
		}
		k.last = data
	}
	d.people()
	return nil
}

// keep writes down what the neighbours know, until ctx ends.
func (d *Demo) keep(ctx context.Context, _ Engine) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for seen := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := d.slack.Version() + uint64(d.github.Calls()+len(d.jira.Calls()))
		if now == seen {
			continue
		}
		if err := d.save(); err != nil {
			d.log.Warn("what the local Slack, GitHub and Jira know could not be written down", "err", err)
			continue
		}
		seen = now
	}
}

// save writes down what changed.
func (d *Demo) save() error {
	var errs []error
	for _, k := range d.kept {
		errs = append(errs, k.save(d.place.path(k.name+".snapshot")))
	}
	return errors.Join(errs...)
}

func (k *kept) save(path string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	data, err := k.snapshot()
	if err != nil || bytes.Equal(data, k.last) {
		return err
	}
	if err := replace(path, data); err != nil {
		return err
	}
	k.last = data
	return nil
}
