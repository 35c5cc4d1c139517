//go:build !unix

package doctor

import "os"

// writable says whether the folder is there; whether it can be written to shows at the start.
func writable(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
