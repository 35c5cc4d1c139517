package machine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// Checkpoints that earlier versions wrote are read without losing anything:
// whatever they say, the state says. These files are never written again.
func TestEarlierCheckpoints(t *testing.T) {
	files, err := filepath.Glob("testdata/checkpoint-*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no earlier checkpoints", err)
	}
	for _, file := range files {
		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := &State{}
		if err := json.Unmarshal(stored, s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var want, got any
		if err := json.Unmarshal(stored, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(marshal(s), &got); err != nil {
			t.Fatal(err)
		}
		for _, lost := range missingIn(want, got, "") {
			t.Errorf("%s: %s is lost", file, lost)
		}
	}
}

// missingIn lists what of want is not in got, by its path.
func missingIn(want, got any, path string) (lost []string) {
	w, ok := want.(map[string]any)
	if !ok {
		list, isList := want.([]any)
		other, alsoList := got.([]any)
		if isList && alsoList && len(list) == len(other) {
			for i := range list {
				lost = append(lost, missingIn(list[i], other[i], path+"/"+itoa(i))...)
			}
			return lost
		}
		if !reflect.DeepEqual(want, got) {
			lost = append(lost, path)
		}
		return lost
	}
	g, _ := got.(map[string]any)
	for _, key := range sortedKeys(w) {
		lost = append(lost, missingIn(w[key], g[key], path+"/"+key)...)
	}
	return lost
}
