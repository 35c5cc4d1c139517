package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// persisted is a fake whose memory is a file, so that it outlives a kill.
type persisted struct {
	name     string
	version  func() uint64 // another one with every change
	snapshot func() ([]byte, error)
	restore  func([]byte) error

	mu   sync.Mutex // guards last, seen and the file
	last []byte
	seen uint64
}

// saveEvery is how much of what people did may be lost at a kill from outside.
const saveEvery = 100 * time.Millisecond

// restore gives the fakes their memory back.
func (d *Demo) restore() error {
	d.kept = []*persisted{
		{name: "slack", version: d.slack.Version, snapshot: d.slack.Snapshot, restore: d.slack.Restore},
		{name: "github", version: func() uint64 { return uint64(d.github.Calls() + len(d.github.Deliveries())) }, snapshot: d.github.Snapshot, restore: d.github.Restore},
		{name: "jira", version: func() uint64 { return uint64(len(d.jira.Calls())) }, snapshot: d.jira.Snapshot, restore: d.jira.Restore},
	}
	if d.cloud != nil {
		d.kept = append(d.kept, &persisted{name: "aws", version: d.cloud.aws.Version, snapshot: d.cloud.aws.Snapshot, restore: d.cloud.aws.Restore})
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
	if d.cloud == nil {
		return nil
	}
	d.cloud.failure()
	if d.cloud.aws.Version() > 0 {
		return nil
	}
	if err := d.cloud.begin(); err != nil {
		return fmt.Errorf("begin the story in AWS: %w", err)
	}
	return d.save()
}

// saveRegularly writes down what the fakes know, until ctx ends.
func (d *Demo) saveRegularly(ctx context.Context, _ Engine) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.save(); err != nil {
			d.log.Warn("what the local vendors know could not be written down", "err", err)
		}
	}
}

// saveBeforeAnswer writes down what a fake was told before it answers, as those
// outside do: the service relies on it.
func (d *Demo) saveBeforeAnswer(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r) // the answer is small: it leaves after this function has returned
		if err := d.save(); err != nil {
			d.log.Warn("what the local vendors know could not be written down", "err", err)
		}
	})
}

// save writes down what changed.
func (d *Demo) save() error {
	var errs []error
	for _, k := range d.kept {
		errs = append(errs, k.save(d.place.path(k.name+".snapshot")))
	}
	return errors.Join(errs...)
}

func (k *persisted) save(path string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.version()
	if now == k.seen && k.last != nil {
		return nil
	}
	data, err := k.snapshot()
	if err != nil {
		return err
	}
	if !bytes.Equal(data, k.last) {
		if err := replace(path, data); err != nil {
			return err
		}
	}
	k.last, k.seen = data, now
	return nil
}
