//go:build unix && !linux

package commands

import (
	"os"
	"syscall"
)

// becomeSubreaper does nothing: only Linux hands orphans to anybody but init.
func becomeSubreaper() {}

// forbidTracing does nothing: only Linux lets a process do so.
func forbidTracing() {}

func dropCapabilities() {}

// lacks names what this process lacks to run commands as somebody else.
func lacks() []string {
	if os.Geteuid() == 0 {
		return nil
	}
	return []string{"the rights of root"}
}

// attributes of the shell: a group of its own.
func attributes(as *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
}

// killChildren kills what is left of the shell's group.
func killChildren(shell int) { _ = syscall.Kill(-shell, syscall.SIGKILL) }

// supervisor are its attributes: a session of its own.
func supervisor(*account) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
