package git

import (
	"path/filepath"
	"testing"
)

func TestTaggedFindsTheCommitBehindATag(t *testing.T) {
	r := newRepo(t, filepath.Join(t.TempDir(), "webshop"))
	first := r.commit("a", "1", "One")
	r.git("tag", "light")
	second := r.commit("a", "2", "Two")
	r.git("tag", "-a", "-m", "Release", "release/v1")
	for tag, want := range map[string]string{"light": first, "release/v1": second, "gone": "", "": "", "--upload-pack=x": "", "a*": ""} {
		a := task(r.dir, "").Action
		a.Configuration = task(r.dir, "").Configuration
		got, err := local(t).Tagged(t.Context(), a, tag)
		if err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", tag, got, err, want)
		}
	}
}
