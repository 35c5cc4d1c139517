package vars_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/workflows/vars"
)

// nasty is a value that a shell would split, fill in, run or end a quote with.
const nasty = `a  b * ? $(touch pwned) ` + "`touch pwned`" + ` "c" 'd' \e $HOME #{x.y} ; touch pwned #`

// D2: wherever a reference is accepted, the shell gives the value as it is, as
// one word. Each row is run by every shell of this machine.
func TestShellGivesTheValue(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string // V is the value
	}{
		{"a word", []string{`printf '<%s>' #{a.b} x`}, "<V><x>"},
		{"a part of a word", []string{`printf '<%s>' --tag=x:#{a.b}-1`}, "<--tag=x:V-1>"},
		{"two at once", []string{`printf '<%s>' #{a.b}#{a.b}`}, "<VV>"},
		{"double quotes", []string{`printf '<%s>' "x #{a.b} y"`}, "<x V y>"},
		{"double quotes with others inside", []string{`printf '<%s>' "it's #{a.b}, \"so\""`}, `<it's V, "so">`},
		{"between single quotes that end for it", []string{`printf '<%s>' '{"image":"x:'#{a.b}'"}'`}, `<{"image":"x:V"}>`},
		{"behind single quotes with a hash", []string{`printf '<%s>' 'a # b' #{a.b}`}, "<a # b><V>"},
		{"an assignment", []string{`X=#{a.b}`, `printf '<%s>' "$X"`}, "<V>"},
		{"an exported one", []string{`export X="#{a.b}"`, `printf '<%s>' "$X"`}, "<V>"},
		{"a command in its place", []string{`printf '<%s>' "$(printf '%s' #{a.b})"`}, "<V>"},
		{"a command in its place, quoted there", []string{`printf '<%s>' "$(printf '%s' "x#{a.b}" 'y')" #{a.b}`}, "<xVy><V>"},
		{"a subshell", []string{`(printf '<%s>' #{a.b}; (printf '<%s>' #{a.b}))`}, "<V><V>"},
		{"a case in a command", []string{`X="$(case x in x) printf '%s' #{a.b};; (y) echo no;; esac)"`, `printf '<%s>' "$X" "#{a.b}"`}, "<V><V>"},
		{"a case over it", []string{`case #{a.b} in x) echo no;; *) printf '<%s>' #{a.b};; esac`}, "<V>"},
		{"a default", []string{`printf '<%s>' "${NOTHING:-#{a.b}}"`}, "<V>"},
		{"a default without quotes", []string{`printf '<%s>' ${NOTHING:-#{a.b}}`}, "<V>"},
		{"a here-document", []string{"cat <<EOF", `<"#{a.b}' ${NOTHING:-#{a.b}}>`, "EOF", `printf '<%s>' #{a.b}`}, `<"V' V>` + "\n<V>"},
		{"a here-document with tabs and a command", []string{"if true; then cat <<-END | cat; fi", "\t<$(printf '%s' #{a.b})>", "\tEND", `printf '<%s>' #{a.b}`}, "<V>\n<V>"},
		{"two here-documents", []string{"{ cat; cat <&3; } <<A 3<<'B'", "#{a.b}", "A", `it's "$X`, "B", `printf '<%s>' #{a.b}`}, "V\nit's \"$X\n<V>"},
		{"a here-document with a line that goes on", []string{"cat <<EOF", `x \`, "EOF", `y \\`, `#{a.b}`, "EOF", `printf '<%s>' #{a.b}`}, "x EOF\ny \\\nV\n<V>"},
		{"a default with quotes of its own", []string{`printf '<%s>' "${NOTHING:-"#{a.b}"}"`}, "<V>"},
		{"a comment", []string{`printf x # it's #{a.b}`, `printf '<%s>' #{a.b}`}, "x<V>"},
		{"no comment", []string{`printf '<%s>' a#b "#c" $#`, `printf '<%s>' #{a.b}`}, "<a#b><#c><0><V>"},
		{"an escaped quote", []string{`printf '<%s>' \' #{a.b} \"`}, `<'><V><">`},
		{"an escaped dollar", []string{`printf '<%s>' "\$#{a.b}"`}, "<$V>"},
		{"a redirection", []string{`printf x >out; cat <out; printf '<%s>' #{a.b}`}, "x<V>"},
		{"backticks", []string{"X=`printf '%s' #{a.b}`", `printf '<%s>' "$X"`}, "<V>"},
		{"over lines in quotes", []string{`printf '<%s>' "one`, `#{a.b} two"`}, "<one\nV two>"},
		{"a sum beside it", []string{`printf '<%s>' $((1 + (2))) #{a.b}`}, "<3><V>"},
		{"a function", []string{`f() { printf '<%s>' "$1" #{a.b}; }`, `f #{a.b}`}, "<V><V>"},
		{"a loop", []string{`for x in #{a.b} 2; do printf '<%s>' "$x"; done`}, "<V><2>"},
	} {
		env := map[string]string{}
		lines, err := vars.FillCommands(c.lines, env, func(vars.Ref) (string, bool) { return nasty, true })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if strings.Contains(strings.Join(lines, "\n"), "touch") {
			t.Errorf("%s: the value is in the line: %q", c.name, lines)
		}
		for _, shell := range []string{"sh", "dash", "bash", "busybox"} {
			path, err := exec.LookPath(shell)
			if err != nil {
				continue
			}
			args := []string{"-e", "-c", strings.Join(lines, "\n")}
			if shell == "busybox" {
				args = append([]string{"sh"}, args...)
			}
			cmd := exec.CommandContext(t.Context(), path, args...)
			cmd.Dir = t.TempDir()
			for k, v := range env {
				cmd.Env = append(cmd.Env, k+"="+v)
			}
			cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if want := strings.ReplaceAll(c.want, "V", nasty); err != nil || string(out) != want {
				t.Errorf("%s, %s: %q %v\nwant %q\nfrom %q", c.name, shell, out, err, want, lines)
			}
			if _, err := os.Stat(filepath.Join(cmd.Dir, "pwned")); err == nil {
				t.Errorf("%s, %s: the value was run", c.name, shell)
			}
		}
	}
}

// D2: where the shell fills nothing in, or more than the value, the reference is
// refused with its line and character.
func TestShellRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string // LINE:CHARACTER: a part of the sentence
	}{
		{"single quotes", []string{`echo 'deploy #{a.b} here'`}, "1:14: stands between single quotes"},
		{"in the middle of a text", []string{`kubectl patch x -p '{"image":"x:#{a.b}"}'`}, "1:33: stands between single quotes"},
		{"single quotes over lines", []string{"true", "echo 'one", "two #{a.b}'"}, "3:5: stands between single quotes"},
		{"single quotes in a command", []string{`echo "$(echo 'x #{a.b}')"`}, "1:17: stands between single quotes"},
		{"the quotes of bash with escapes", []string{`echo $'it\'s #{a.b}'`}, "1:14: stands between single quotes"},
		{"a quoted here-document", []string{"cat <<'EOF'", "x #{a.b}", "EOF"}, "2:3: stands in a here-document whose end mark is quoted"},
		{"one with a backslash", []string{`cat <<\EOF`, "#{a.b}", "EOF"}, "2:1: stands in a here-document"},
		{"one with double quotes", []string{`cat <<-"E F"`, "\t#{a.b}", "\tE F"}, "2:2: stands in a here-document"},
		{"an end mark", []string{"cat <<#{a.b}", "x"}, "1:7: stands in the end mark"},
		{"behind a backslash", []string{`echo \#{a.b}`}, "1:7: stands behind a backslash"},
		{"behind a backslash in quotes", []string{`echo "\#{a.b}"`}, "1:8: stands behind a backslash"},
		{"behind a dollar", []string{`echo "$#{a.b}"`}, "1:8: stands behind a $"},
		{"the name of a variable", []string{`echo "${#{a.b}}"`}, "1:9: stands where the shell wants the name"},
		{"single quotes in braces", []string{`echo "${X#'#{a.b}'}"`}, "1:12: stands behind a single quote in a ${…}"},
		{"a sum", []string{`echo $((#{a.b} + 1))`}, "1:9: stands in a sum"},
		{"a sum of bash", []string{`((x = #{a.b}))`}, "1:7: stands in a sum"},
		{"backticks in double quotes", []string{"echo \"`echo #{a.b}`\""}, "1:13: stands between backticks inside of double quotes"},
		{"quotes that do not close", []string{`echo "#{a.b}`}, "1:7: stands in commands whose quotes"},
		{"single quotes that do not close", []string{`echo #{a.b} it's`}, "1:6: stands in commands whose quotes"},
		{"a bracket that does not close", []string{`echo $(echo #{a.b}`}, "1:13: stands in commands whose quotes"},
	} {
		places := vars.Shell(c.lines)
		if len(places) != 1 || places[0].Fault == nil {
			t.Errorf("%s: %+v", c.name, places)
			continue
		}
		p := places[0]
		if got := fmt.Sprintf("%d:%d: %s", p.Line+1, p.Fault.Offset+1, strings.TrimPrefix(p.Fault.Message, "#{a.b} ")); !strings.HasPrefix(got, c.want) || p.Hint == "" {
			t.Errorf("%s: %s (%s), want %s", c.name, got, p.Hint, c.want)
		}
		if _, err := vars.FillCommands(c.lines, map[string]string{}, func(vars.Ref) (string, bool) { return "v", true }); err == nil {
			t.Errorf("%s is filled in", c.name)
		}
	}
}

// However a script is cut into lines and quotes, every reference of it is found once.
func FuzzShell(f *testing.F) {
	f.Add("echo '#{a.b}' \"$(echo #{a.b})\" # x", "cat <<E\n#{a.b}\nE")
	f.Add("case x in x) `#{a.b}`;; esac; $((", "\\#{a.b} ${x:-#{a.b}} ))")
	f.Fuzz(func(t *testing.T, one, two string) {
		lines := []string{one, two}
		n := 0
		for _, line := range lines {
			refs, err := vars.Refs(line)
			if err != nil {
				return
			}
			n += len(refs)
		}
		places := vars.Shell(lines)
		if len(places) != n {
			t.Fatalf("%d places of %d references", len(places), n)
		}
		for _, p := range places {
			if p.Fault != nil && !strings.HasPrefix(lines[p.Line][p.Fault.Offset:], "#{") {
				t.Fatalf("line %d, offset %d is no reference", p.Line, p.Fault.Offset)
			}
		}
	})
}
