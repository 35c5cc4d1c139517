package archtest

import (
	"regexp"
	"testing"
)

// T1: what works on run folders may do so as root, in folders that others change
// meanwhile. It goes through handles (os.Root, or a file that is open): a path
// may name something else by the time it is followed.
func TestPrivilegedPackagesNameNoPaths(t *testing.T) {
	byPath := regexp.MustCompile(`\b(os\.(Chmod|Chown|Lchown|RemoveAll|Chtimes|Truncate)|(syscall|unix)\.(Chmod|Chown|Lchown|Fchmodat2?|Fchownat)|filepath\.(Walk|WalkDir|Glob))\(`)
	privileged := map[string]bool{"integrations/commands": false, "store/files": false}
	for _, s := range sources(t, false) {
		if _, ok := privileged[s.pkg]; !ok {
			continue
		}
		privileged[s.pkg] = true
		if found := byPath.FindString(s.text); found != "" {
			t.Errorf("%s calls %s…): use a handle of the folder", s.path, found)
		}
	}
	for pkg, seen := range privileged {
		if !seen {
			t.Errorf("there is no package %s any more", pkg)
		}
	}
}
