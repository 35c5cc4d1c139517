package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what the kernel says of a process.
type process struct {
	cpu      time.Duration
	anon     float64 // RssAnon in KB: memory that is not a mapped file
	peak     float64 // VmHWM in KB
	switches int     // voluntary context switches of all threads: how often one went to sleep, so how often one was woken
}

// clockTick is the unit of CPU time in /proc, on every Linux.
const clockTick = 10 * time.Millisecond

// look reads /proc.
func (v *service) look() (p process, err error) {
	root := fmt.Sprintf("/proc/%d", v.cmd.Process.Pid)
	stat, err := os.ReadFile(root + "/stat")
	if err != nil {
		return p, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, i := range []int{11, 12} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return p, err
		}
		p.cpu += time.Duration(n) * clockTick
	}
	status, err := os.ReadFile(root + "/status")
	if err != nil {
		return p, err
	}
	p.anon, p.peak = float64(field(status, "RssAnon:")), float64(field(status, "VmHWM:"))
	threads, err := filepath.Glob(root + "/task/*/status")
	for _, t := range threads {
		if text, err := os.ReadFile(t); err == nil { // a thread may have ended meanwhile
			p.switches += field(text, "voluntary_ctxt_switches:")
		}
	}
	return p, err
}

func field(status []byte, name string) int {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, _ := strconv.Atoi(strings.Fields(string(rest))[0])
			return n
		}
	}
	return 0
}

// waitIdle waits until the process has used next to no CPU for half a second: what
// it does after its start is over.
func (v *service) waitIdle() error {
	last, err := v.look()
	for quiet := 0; quiet < 5 && err == nil; {
		time.Sleep(100 * time.Millisecond)
		var now process
		if now, err = v.look(); now.cpu-last.cpu > 0 {
			quiet = 0
		} else {
			quiet++
		}
		last = now
	}
	return err
}
