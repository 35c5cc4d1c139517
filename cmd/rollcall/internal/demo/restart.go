package demo

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// restartProcess replaces this process at once by a new one, at the same address and with
// the same number: what a kill -9 and a service manager do. Nothing is cleaned
// up, what runs goes on under its supervisor. Only the local Slack, GitHub and
// Jira write down what they know first: in the world they would not die too.
func (d *Demo) restartProcess(note func(*note)) {
	d.dying.Lock()
	defer d.dying.Unlock()
	if err := d.save(); err != nil {
		d.log.Error("what the local Slack, GitHub and Jira know could not be written down", "err", err)
	}
	if err := d.place.write(note); err != nil {
		d.log.Error("the restart could not be noted", "err", err)
	}
	args := []string{"demo", "--listen", d.addr, "--data", d.place.dir}
	if d.o.AWS {
		args = append(args, "--aws")
	}
	if d.o.File != "" {
		args = append(args, d.o.File)
	}
	err := d.o.Again(args)
	d.log.Error("the process could not be replaced; it goes on", "err", err)
}

const (
	mayFinish = 15 * time.Second // commands that run when the demo ends
	mayDie    = 3 * time.Second  // and then those that were told to stop
)

// stopCommands waits for commands that still run, and stops those that take longer.
func (p *dataDir) stopCommands(timeout time.Duration) {
	if p.commandsEnded(timeout) {
		return
	}
	for _, run := range p.runningCommands() {
		_ = os.WriteFile(filepath.Join(run, "cancel"), nil, 0o600)
	}
	p.commandsEnded(mayDie)
}

// commandsEnded waits until no commands run.
func (p *dataDir) commandsEnded(within time.Duration) bool {
	late := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(p.runningCommands()) > 0 {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// runningCommands are the control folders of commands whose supervisor lives: it holds their lock.
func (p *dataDir) runningCommands() []string {
	locks, _ := filepath.Glob(p.path("data", "runs", "*", ".run", "lock"))
	var alive []string
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			alive = append(alive, filepath.Dir(path))
		}
		_ = f.Close()
	}
	return alive
}
