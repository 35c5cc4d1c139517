//go:build unix && !linux

package commands

import "syscall"

// adopt does nothing: only Linux hands orphans to anybody but init.
func adopt() {}

// attributes of the shell: a group of its own.
func attributes(as *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
}

// killChildren kills what is left of the shell's group.
func killChildren(shell int) { _ = syscall.Kill(-shell, syscall.SIGKILL) }
