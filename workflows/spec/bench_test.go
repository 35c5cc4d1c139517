package spec

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse reads a file of 6 stages and 14 actions, as a service does when it changed.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString("name: shop\ntriggers: []\nstages:\n  - name: Source\n    actions: [{name: App, provider: Git, configuration: {Repository: \"https://git.example/shop.git\", BranchName: main}, outputArtifacts: [app]}]\n")
	text.WriteString("  - name: Gate\n    actions: [{name: Ok, provider: Manual, approval: {from: [\"group:team\"], requesterMayApprove: true}}]\n")
	for s := range 4 {
		fmt.Fprintf(&text, "  - name: S%d\n    actions:\n", s)
		for a := range 3 {
			fmt.Fprintf(&text, "      - {name: A%d, provider: Commands, commands: [\"make\"], inputArtifacts: [app]}\n", a)
		}
	}
	data := []byte(text.String())
	for name, read := range map[string]func() bool{
		"whole":    func() bool { p, _ := Parse("shop.yaml", data); return p != nil },
		"tree":     func() bool { return tree("", data, &diagnostics{}) != nil },
		"template": func() bool { return !IsTemplate(data) },
		"table":    func() bool { return len(readTable()) > 0 },
		"lookup":   func() bool { _, ok := lookup("Commands", "", ""); return ok },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !read() {
					b.Fatal("the file is not read as it is meant")
				}
			}
		})
	}
}
