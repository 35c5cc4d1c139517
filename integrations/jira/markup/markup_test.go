package markup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *Doc {
	var d Doc
	d.Fact("Error", Text("exit {code} [~ana] *x* !img!"))
	d.Line(Link("#45 [x]", "https://r.example/e/1"), Text(" and "), Link("none", "javascript:alert(1)"))
	d.Code("line {noformat}\n\tline 2\n")
	d.Line(Text("end"))
	return &d
}

func TestWiki(t *testing.T) {
	want := `*Error:* exit \{code\} \[\~ana\] \*x\* \!img\!
[\#45 \[x\]|https://r.example/e/1] and none

{noformat}
line { noformat}
	line 2
{noformat}

end
`
	// The beginning of a link's text is no beginning of a line.
	if diff := cmp.Diff(strings.ReplaceAll(want, `[\#45`, "[#45"), strings.ReplaceAll(sample().Wiki(), `[\#45`, "[#45")); diff != "" {
		t.Error("(-want +got):\n", diff)
	}
}

func TestADF(t *testing.T) {
	want := `{"type":"doc","version":1,"content":[` +
		`{"type":"paragraph","content":[{"type":"text","text":"Error:","marks":[{"type":"strong"}]},{"type":"text","text":" "},{"type":"text","text":"exit {code} [~ana] *x* !img!"},{"type":"hardBreak"},` +
		`{"type":"text","text":"#45 [x]","marks":[{"type":"link","attrs":{"href":"https://r.example/e/1"}}]},{"type":"text","text":" and "},{"type":"text","text":"none"}]},` +
		`{"type":"codeBlock","content":[{"type":"text","text":"line {noformat}\n\tline 2"}]},{"type":"paragraph","content":[{"type":"text","text":"end"}]}]}`
	if diff := cmp.Diff(want, string(sample().ADF())); diff != "" {
		t.Error("(-want +got):\n", diff)
	}
	if got := string((&Doc{}).ADF()); got != `{"type":"doc","version":1,"content":[{"type":"paragraph"}]}` {
		t.Errorf("nothing is %s", got)
	}
	if got, want := Flatten(sample().ADF()), sample().Plain(); got != want {
		t.Errorf("flattened %q, want %q", got, want)
	}
	if got := Flatten(json.RawMessage(`"text"`)) + Flatten(json.RawMessage(`[1]`)); got != "text" {
		t.Errorf("other bodies are %q", got)
	}
}

// A line never becomes a heading, a quotation, a list or a table, and a word no phrase.
func TestTextStaysText(t *testing.T) {
	for text, want := range map[string]string{
		"h1. gone": `h1\. gone`, "bq. gone": `bq\. gone`, "# one": `\# one`, "|| a ||": `\|\| a \|\|`, "* one": `\* one`, "- one": "- one",
		"--flag _x_ snake_case ~s~ +i+ ^u^": `\-\-flag \_x_ snake_case \~s~ \+i+ \^u^`, "h10. x": "h10. x", "a\nb": "a b",
	} {
		var d Doc
		d.Line(Text(text))
		if got := strings.TrimSuffix(d.Wiki(), "\n"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// Whatever comes from outside: a document is one that Jira takes, and the markup holds
// no macro, mention or image that was not ours.
func FuzzText(f *testing.F) {
	f.Add("exit {code}", "[~ana]", "line")
	f.Add("exit,{co}de}", "[~\x00", "in\x13")
	f.Add("h1. x\n{noformat}", "|https://x]", "{noformat}\n{code}")
	f.Fuzz(func(t *testing.T, a, b, code string) {
		var d Doc
		d.Fact("Error", Text(a), Bold(b))
		d.Line(Link(a, "https://x.example/"+b))
		d.Code(code)
		if !json.Valid(d.ADF()) {
			t.Fatalf("%q is no document", d.ADF())
		}
		var doc node
		if err := json.Unmarshal(d.ADF(), &doc); err != nil {
			t.Fatal(err)
		}
		checkNodes(t, &doc)
		outside := d.Wiki()
		if before, after, ok := strings.Cut(outside, "{noformat}\n"); ok {
			_, after, _ = strings.Cut(after, "\n{noformat}")
			outside = before + after
		}
		plain := strings.NewReplacer(`\\`, "", `\{`, "", `\[`, "", `\!`, "", `\~`, "").Replace(outside)
		if strings.ContainsAny(plain, "{!") || strings.Contains(plain, "[~") {
			t.Errorf("live markup in %q", outside)
		}
	})
}

func checkNodes(t *testing.T, n *node) {
	if n.Type == "text" && n.Text == "" || n.Type != "text" && len(n.Marks) > 0 {
		t.Errorf("Jira refuses the node %+v", n)
	}
	for i := range n.Content {
		checkNodes(t, &n.Content[i])
	}
}
