package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts types commands as people do; each file of testdata/script is one
// session in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true})
}
