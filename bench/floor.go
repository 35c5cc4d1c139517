package main

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// floor is what the disk can do at best: writing 4 KiB in place and fdatasync,
// one after the other.
type floor struct {
	p50  time.Duration // F
	rate float64       // per second
}

const (
	block     = 4096
	floorSize = 16 << 20
)

// measureFloor writes for as long as d into a file of dir.
func measureFloor(dir string, d time.Duration) (floor, error) {
	path := filepath.Join(dir, "floor")
	f, err := os.Create(path)
	if err != nil {
		return floor{}, err
	}
	defer os.Remove(path)
	defer f.Close()
	if _, err := f.Write(make([]byte, floorSize)); err != nil {
		return floor{}, err
	}
	if err := f.Sync(); err != nil {
		return floor{}, err
	}
	var took []time.Duration
	began := time.Now()
	for at := int64(0); time.Since(began) < d; at = (at + block) % floorSize {
		s := time.Now()
		if _, err := f.WriteAt(make([]byte, block), at); err != nil {
			return floor{}, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return floor{}, err
		}
		took = append(took, time.Since(s))
	}
	return floor{percentile(took, 50), float64(len(took)) / time.Since(began).Seconds()}, nil
}

// between is the mean of two.
func (f floor) between(g floor) floor { return floor{(f.p50 + g.p50) / 2, (f.rate + g.rate) / 2} }

// percentile sorts d; none is 0.
func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[(len(d)-1)*p/100]
}
