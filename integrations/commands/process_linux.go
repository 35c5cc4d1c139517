package commands

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes this process the parent of every descendant that loses its own.
func becomeSubreaper() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// forbidTracing protects this process from others of its account: its environment, its
// memory, debuggers, cores. What it may do beyond its account is kept from the
// programs it starts, see [supervisor].
func forbidTracing() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	_, _, _ = syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	dropCapabilities()
}

// dropCapabilities clears what the programs that this thread starts would inherit beyond their account.
func dropCapabilities() { _ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }

// capabilities are what running commands as somebody else takes, by name: to
// become them, to give them their folder, to read and remove what they leave
// there, and to end them.
func capabilities() map[uintptr]string {
	return map[uintptr]string{unix.CAP_SETUID: "CAP_SETUID", unix.CAP_SETGID: "CAP_SETGID", unix.CAP_CHOWN: "CAP_CHOWN",
		unix.CAP_DAC_OVERRIDE: "CAP_DAC_OVERRIDE", unix.CAP_KILL: "CAP_KILL"}
}

// lacks names what this process lacks of them.
func lacks() []string {
	var has [2]unix.CapUserData
	_ = unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &has[0]) // nothing, when it fails
	var missing []string
	for c, name := range capabilities() {
		if has[0].Effective&(1<<c) == 0 {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

// supervisor are its attributes: a session of its own, and, from a service that
// is not root, the capabilities to become the account. It keeps them from the commands.
func supervisor(as *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if as != nil && os.Geteuid() != 0 {
		a.AmbientCaps = slices.Collect(maps.Keys(capabilities()))
	}
	return a
}

// attributes of the shell: a group of its own, and death with its supervisor.
func attributes(as *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: as.credential()}
}

// killChildren kills every child of this process. The group of the shell,
// which has been reaped by now, is left alone: its number may be somebody else's.
func killChildren(int) {
	for _, pid := range children() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// children are those of this process. The kernel lists them below its own entry,
// also where the processes of other accounts are hidden.
func children() (all []int) {
	tasks, _ := os.ReadDir("/proc/self/task")
	lists := 0
	for _, task := range tasks {
		data, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil {
			continue // the thread has gone
		}
		lists++
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	if lists > 0 {
		return all
	}
	entries, _ := os.ReadDir("/proc") // a kernel without such lists
	self := os.Getpid()
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && parent(pid) == self {
			all = append(all, pid)
		}
	}
	return all
}

// parent reads a process's parent; 0 when the process has gone.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// PID (NAME) STATE PPID …; a name may hold anything, brackets too.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}
