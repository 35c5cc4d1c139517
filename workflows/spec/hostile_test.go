package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/spec"
)

// TestHostileFilesAreRefusedQuickly: whoever may edit may send any bytes.
func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	laughs := "a0: &a0 [x, x]\n"
	for i := range 20 {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	for about, c := range map[string]struct{ text, says string }{
		"too large":           {"name: " + strings.Repeat("x", 256<<10), "the file has 262150 bytes"},
		"a billion laughs":    {laughs, "nested too deeply, or its aliases hold too much"},
		"wide aliases":        {"a: &a [" + strings.Repeat("x,", 1000) + "]\nb: [" + strings.Repeat("*a,", 1000) + "]\n", "its aliases hold too much"},
		"an alias of itself":  {"a: &a [*a]\n", "nested too deeply, or its aliases hold too much"},
		"deep lists":          {strings.Repeat("[", 10_000), "check brackets"},
		"deep mappings":       {strings.Repeat("{a: ", 10_000), "check brackets"},
		"deep dashes":         {strings.Repeat("- ", 20_000), "max depth"},
		"deep question marks": {strings.Repeat("? ", 20_000), "max depth"},
		"many tags":           {strings.Repeat("!!a ", 10_000), "check brackets"},
		"many anchors":        {strings.Repeat("&a ", 10_000), "check brackets"},
		"too many values":     {strings.Repeat("- a\n", 60_000), "its aliases hold too much"},
		"one key many times":  {strings.Repeat("a: b\n", 10_000), "given twice"},
		"deep by indentation": {indented(300), "nested too deeply"},
		"not UTF-8":           {"name: webshop\nchannel: \xff\n", "not UTF-8"},
		"a key that is null":  {"~: b\n", "a key must be a word"},
		"a null byte":         {"name: \x00\n", ""},
		"a byte order mark":   {"\uFEFFname: webshop\n", "the pipeline has no stage"},
	} {
		t.Run(about, func(t *testing.T) {
			began := time.Now()
			p, faults := spec.Parse("hostile.yaml", []byte(c.text))
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("it took %s", took)
			}
			if p != nil || len(faults) == 0 || len(faults) > 300 {
				t.Fatalf("got %v and %d faults", p, len(faults))
			}
			var all strings.Builder
			for _, f := range faults {
				fmt.Fprintln(&all, f)
			}
			if !strings.Contains(all.String(), c.says) {
				t.Errorf("got %.500s", all.String())
			}
		})
	}
}

func indented(levels int) string {
	var out strings.Builder
	for i := range levels {
		fmt.Fprintf(&out, "%sa:\n", strings.Repeat(" ", i))
	}
	return out.String()
}

func TestTheFaultOfALineThatIsNotUTF8HasItsLine(t *testing.T) {
	_, faults := spec.Parse("x.yaml", []byte("name: webshop\nchannel: \xff\n"))
	if len(faults) != 1 || faults[0].Line != 2 {
		t.Errorf("got %v", faults)
	}
}

// FuzzParse checks what must hold for every file: it ends, faults have a
// place, a pipeline comes back exactly when no fault is an error, and what is
// printed means the same.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.[jy]*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".expected") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a {<<: *a}\n? b\n: !!str c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, faults := spec.Parse("fuzz.yaml", data)
		errors := 0
		for _, fault := range faults {
			if fault.Line < 1 || fault.Col < 1 || fault.Message == "" {
				t.Errorf("a fault without a place: %+v", fault)
			}
			if !fault.Warning {
				errors++
			}
		}
		if (p == nil) != (errors > 0) {
			t.Fatalf("%d errors and %v", errors, p)
		}
		if p != nil {
			roundTrip(t, p)
		}
	})
}
