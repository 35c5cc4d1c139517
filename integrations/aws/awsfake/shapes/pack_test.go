package shapes

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "pack data into models.gz")

// What is embedded is what data holds; -update packs it again.
func TestModelsArePacked(t *testing.T) {
	names, err := filepath.Glob("data/*.json")
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]json.RawMessage{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var short bytes.Buffer
		if err := json.Compact(&short, raw); err != nil {
			t.Fatal(name, err)
		}
		data[strings.TrimSuffix(filepath.Base(name), ".json")] = short.Bytes()
	}
	if *update {
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(z).Encode(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("models.gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(models))
	if err != nil {
		t.Fatal(err)
	}
	packed := map[string]json.RawMessage{}
	if err := json.NewDecoder(z).Decode(&packed); err != nil {
		t.Fatal(err)
	}
	for name, raw := range data {
		var got, want any
		if json.Unmarshal(raw, &want) != nil || json.Unmarshal(packed[name], &got) != nil || !jsonEqual(got, want) {
			t.Errorf("models.gz does not hold data/%s.json: pack it with -update", name)
		}
	}
	if len(packed) != len(data) {
		t.Errorf("models.gz holds %d models, data %d", len(packed), len(data))
	}
}

func jsonEqual(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}
