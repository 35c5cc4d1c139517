package vars_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows/vars"
)

func TestRefs(t *testing.T) {
	for _, c := range []struct {
		about, text string
		want        []vars.Ref
	}{
		{"no reference", "make dist", nil},
		{"empty", "", nil},
		{"one", "#{App.CommitId}", []vars.Ref{{"App", "CommitId"}}},
		{"inside text", "https://x/#{App.CommitId}?v=1", []vars.Ref{{"App", "CommitId"}}},
		{"several, repeated, side by side", "#{a.b}#{c.d} #{a.b}", []vars.Ref{{"a", "b"}, {"c", "d"}, {"a", "b"}}},
		{"all characters", "#{my-ns_1@x.Key-2_@}", []vars.Ref{{"my-ns_1@x", "Key-2_@"}}},
		{"case matters", "#{APP.x}#{app.X}", []vars.Ref{{"APP", "x"}, {"app", "X"}}},
		{"a # of its own", "# comment, ## and ${#list[@]} and #5", nil},
		{"shell's ${…} is not ours", "${HOME}/#{a.b}", []vars.Ref{{"a", "b"}}},
		{"# before a reference", "##{a.b}", []vars.Ref{{"a", "b"}}},
	} {
		t.Run(c.about, func(t *testing.T) {
			got, err := vars.Refs(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMalformedReferencesAreErrorsWithAPosition(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
		says   string
	}{
		{"#{", 0, "no namespace"},
		{"#{}", 0, "no namespace"},
		{"#{.key}", 0, "no namespace"},
		{"#{App}", 0, "no key"},
		{"#{App.}", 0, "no key"},
		{"#{App", 0, "no key"},
		{"#{App.CommitId", 0, "not closed"},
		{"#{App.Commit Id}", 0, "not closed"},
		{"#{App.a.b}", 0, "not closed"},
		{"#{ App.CommitId }", 0, "no namespace"},
		{"#{a#{b.c}}", 0, "no key"},
		{"ok #{a.b} then #{c}", 15, `"#{c}" has no key`},
		{"#{ä.b}", 0, "no namespace"},
		{"x\n#{App." + strings.Repeat("k", 100), 2, "kkk…"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := vars.Refs(c.text)
			var e *vars.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *vars.Error", err)
			}
			if e.Offset != c.offset || !strings.Contains(e.Message, c.says) {
				t.Errorf("got %q at %d, want %q at %d", e.Message, e.Offset, c.says, c.offset)
			}
		})
	}
}

func TestResolveReplacesOnce(t *testing.T) {
	values := map[vars.Ref]string{{"App", "Id"}: "abc", {"a", "b"}: "#{App.Id}", {"no", "thing"}: ""}
	value := func(r vars.Ref) (string, bool) { v, ok := values[r]; return v, ok }

	got, err := vars.Resolve("<#{App.Id}|#{a.b}|#{no.thing}|#{App.Id}>", value)
	if want := "<abc|#{App.Id}||abc>"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q: a value is never looked at again", got, err, want)
	}

	_, err = vars.Resolve("v #{App.id}", value)
	var e *vars.Error
	if !errors.As(err, &e) || e.Offset != 2 || e.Ref != (vars.Ref{Namespace: "App", Key: "id"}) {
		t.Errorf("got %v, want the reference that has no value, at 2", err)
	}
	if want := "#{App.id} has no value, at character 3"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestRewrite(t *testing.T) {
	got, err := vars.Rewrite("deploy #{App.Id} # now", func(r vars.Ref) string { return "${RC_" + r.Namespace + "_" + r.Key + "}" })
	if want := "deploy ${RC_App_Id} # now"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := vars.Rewrite("#{x", func(vars.Ref) string { return "" }); err == nil {
		t.Error("a malformed reference was rewritten")
	}
}

// FuzzRefs checks what must hold for every text: writing each reference back
// gives the text again, and resolving finds the same references.
func FuzzRefs(f *testing.F) {
	for _, seed := range []string{"", "#", "#{", "#{a.b}", "x #{a.b} #{c.d-@_}", "##{a.b}}", "#{a.b", "#{a..b}", "#{\xff.b}", "#{a.b}#{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		refs, err := vars.Refs(text)
		same, err2 := vars.Rewrite(text, vars.Ref.String)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("Refs says %v, Rewrite says %v", err, err2)
		}
		if err != nil {
			var e *vars.Error
			if !errors.As(err, &e) || !strings.HasPrefix(text[e.Offset:], "#{") {
				t.Fatalf("%v does not point at a reference of %q", err, text)
			}
			return
		}
		if same != text || len(refs) != strings.Count(text, "#{") {
			t.Fatalf("%q became %q with %d references", text, same, len(refs))
		}
	})
}
