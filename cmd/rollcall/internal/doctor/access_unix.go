//go:build unix

package doctor

import "golang.org/x/sys/unix"

// writable says whether this process may write into a folder, without trying.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
