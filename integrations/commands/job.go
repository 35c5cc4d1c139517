package commands

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// longestScript is what fits into one argument of a Linux process, with room to spare.
const longestScript = 120_000

// job is all that a supervisor is told. It travels over standard input only,
// because it holds secrets.
type job struct {
	Folder   folder        `json:"folder"`
	Work     string        `json:"work"` // where the commands run
	Shell    string        `json:"shell"`
	Script   string        `json:"script"`
	Env      []string      `json:"env"`
	Outputs  []string      `json:"outputs"` // names of variables to take over
	Secrets  []string      `json:"secrets"`
	LogFile  string        `json:"logFile"`
	MaxLog   int64         `json:"maxLog"` // bytes
	Deadline time.Time     `json:"deadline"`
	Grace    time.Duration `json:"grace"`
	As       *account      `json:"as"` // nil: as the service
}

// layOut builds the folders of a run afresh and says what to do in them. A
// refusal means that the commands can never run as they are.
func (r *Runner) layOut(t work.Task, w work.Workspace) (j job, refusal *workflows.Reason, err error) {
	f := folder(w.Dir())
	refuse := func(code string, err error) (job, *workflows.Reason, error) {
		return job{}, &workflows.Reason{Code: code, Message: err.Error()}, nil
	}
	sh, err := shell()
	if err != nil {
		return refuse("ConfigurationInvalid", err)
	}
	who, err := lookUp(r.o.User)
	if err == nil {
		err = who.reaches(filepath.Dir(string(f)))
	}
	if err != nil {
		return refuse("ConfigurationInvalid", err)
	}
	script, err := script(t, f)
	if err != nil {
		return refuse("ConfigurationInvalid", err)
	}
	if err := f.sweep(); err != nil {
		return job{}, nil, err
	}
	for _, dir := range []string{f.work(t), f.home()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return job{}, nil, fmt.Errorf("lay the run folder out: %w", err)
		}
	}
	for _, a := range t.Inputs {
		if err := w.Unpack(a, f.input(a.Name)); passing(err) {
			return job{}, nil, fmt.Errorf("lay the run folder out: %w", err)
		} else if err != nil {
			return refuse("ArtifactMissing", fmt.Errorf("input artifact %q cannot be used: %w", a.Name, err))
		}
	}
	if err := who.own(f); err != nil {
		return job{}, nil, err
	}
	log, err := w.Log() // the supervisor only appends; creating is the workspace's
	if err != nil {
		return job{}, nil, fmt.Errorf("open the log: %w", err)
	}
	if err := log.Close(); err != nil {
		return job{}, nil, fmt.Errorf("open the log: %w", err)
	}
	return job{
		Folder: f, Work: f.work(t), Shell: sh, Script: script,
		Env: environment(t, f), Outputs: t.Action.OutputVariables,
		Secrets: r.o.Secrets(), LogFile: w.LogFile(), MaxLog: r.o.MaxLog,
		Deadline: t.Deadline, Grace: r.o.Grace, As: who,
	}, nil, nil
}

// sweep removes what an interrupted start left, except what is ours.
func (f folder) sweep() error {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return fmt.Errorf("lay the run folder out: %w", err)
	}
	for _, e := range entries {
		if e.Name() == ".run" {
			continue
		}
		path := filepath.Join(string(f), e.Name())
		openFolders(path)
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("lay the run folder out: %w", err)
		}
	}
	return nil
}

// openFolders lets the owner into every folder below path, so that it can be
// removed: package caches like to be read-only.
func openFolders(path string) {
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			if info, err := d.Info(); err == nil && info.Mode().Perm()&0o700 != 0o700 {
				_ = os.Chmod(p, info.Mode().Perm()|0o700)
			}
		}
		return nil
	})
}

// environment is everything that the commands see, an allow-list: nothing of
// the service's own but where programs are and the language.
func environment(t work.Task, f folder) []string {
	env := map[string]string{
		"PATH":              orElse(os.Getenv("PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
		"LANG":              orElse(os.Getenv("LANG"), "C.UTF-8"),
		"HOME":              f.home(),
		"CODEBUILD_SRC_DIR": f.work(t),
	}
	for _, a := range t.Inputs {
		env["CODEBUILD_SRC_DIR_"+strings.ReplaceAll(a.Name, "-", "_")] = f.input(a.Name)
	}
	maps.Copy(env, t.Environment)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// script is what sh -e runs: all lines in one shell. When outputs are wanted,
// it notes the exported variables as it ends: in a trap, for lines that call
// exit, and again after the last line, for lines that set a trap of their own.
// The prelude shares the first line, so that sh counts lines as people do.
func script(t work.Task, f folder) (string, error) {
	lines := strings.Join(t.Commands, "\n")
	if strings.TrimSpace(lines) == "" {
		return "", fmt.Errorf("action %q has no commands", t.Action.Name)
	}
	if strings.ContainsRune(lines, 0) {
		return "", fmt.Errorf("the commands of action %q hold a NUL character", t.Action.Name)
	}
	if len(t.Action.OutputVariables) > 0 {
		env, err := exec.LookPath("env")
		if err != nil {
			return "", fmt.Errorf("there is no env in PATH; outputVariables need it")
		}
		lines = fmt.Sprintf("rollcall_outputs() { %s -0 >|%s || :; }; trap rollcall_outputs EXIT; %s\nrollcall_outputs",
			quote(env), quote(f.exported()), lines)
	}
	if len(lines) > longestScript {
		return "", fmt.Errorf("the commands of action %q are %d bytes long, at most %d are possible; move them into a script of the repository", t.Action.Name, len(lines), longestScript)
	}
	return lines, nil
}

// quote makes text one word of the shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// takeOutputs reads what the script noted. The commands own the file, so it
// may be anything: it must be a plain file of theirs, and only so much is read.
func (j job) takeOutputs() (map[string]string, error) {
	if len(j.Outputs) == 0 {
		return nil, nil
	}
	data, err := readPlain(j.Folder.exported(), 4<<20, j.As)
	if err != nil {
		return nil, fmt.Errorf("the commands succeeded, but the exported variables could not be read: %w", err)
	}
	out, size := map[string]string{}, 0
	for entry := range strings.SplitSeq(data, "\x00") {
		name, value, ok := strings.Cut(entry, "=")
		if _, seen := out[name]; ok && !seen && slices.Contains(j.Outputs, name) {
			out[name] = value
			size += len(value)
		}
	}
	if size > maxOutputs {
		return nil, fmt.Errorf("the commands succeeded, but the output variables are %d bytes together; at most %d are allowed", size, maxOutputs)
	}
	return out, nil
}

// maxOutputs is how many bytes the output variables of an action may have together.
const maxOutputs = 122_880

func readPlain(path string, limit int64, as *account) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || !as.owns(info) || info.Size() > limit {
		return "", fmt.Errorf("%s is not what the script wrote", path)
	}
	data := make([]byte, info.Size())
	n, err := file.ReadAt(data, 0)
	if n < len(data) && err != nil {
		return "", err
	}
	return string(data[:n]), nil
}
