package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
)

// thisProgram identifies the program that runs: what another one made of a
// pipeline file says nothing about what this one would. A build without a
// version and a commit is known by its file.
func thisProgram() string {
	sum := sha256.New()
	info, ok := debug.ReadBuildInfo()
	if ok {
		fmt.Fprint(sum, info) // all modules with their versions, the commit, whether it was changed
	}
	if path, err := os.Executable(); err == nil {
		if file, err := os.Stat(path); err == nil {
			fmt.Fprint(sum, file.Size(), file.ModTime().UnixNano())
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
