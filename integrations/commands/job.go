package commands

import (
	"context"
	"errors"
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

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// longestScript is what fits into one argument of a Linux process, with room to spare.
const longestScript = 120_000

// fetchWithin is how long fetching the secrets of a task may take.
const fetchWithin = 30 * time.Second

// job is everything that a supervisor gets. It is passed over standard input
// only, because it contains secrets.
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

// prepare builds the folders of a run afresh and says what to do in them. A
// refusal means that the commands can never run as they are.
func (r *Runner) prepare(ctx context.Context, t work.Task, w work.Workspace) (j job, refusal *workflows.Reason, err error) {
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
	secrets, refusal, err := r.fetch(ctx, t)
	if refusal != nil || err != nil {
		return job{}, refusal, err
	}
	if err := f.empty(); err != nil {
		return job{}, nil, err
	}
	for _, dir := range []string{f.work(t), f.home()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return job{}, nil, fmt.Errorf("prepare the run folder: %w", err)
		}
	}
	for _, a := range t.Inputs {
		if err := w.Unpack(a, f.input(a.Name)); wire.TransientIO(err) {
			return job{}, nil, fmt.Errorf("prepare the run folder: %w", err)
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
		Env: environment(t, secrets, f), Outputs: t.Action.OutputVariables,
		Secrets: slices.AppendSeq(slices.Clone(r.o.Secrets()), maps.Values(secrets)), LogFile: w.LogFile(), MaxLog: r.o.MaxLog,
		Deadline: t.Deadline, Grace: r.o.Grace, As: who,
	}, nil, nil
}

// empty removes what an interrupted start left, except what is ours. The run
// folder is made inaccessible before, so that nobody puts anything into it meanwhile.
func (f folder) empty() error {
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return fmt.Errorf("prepare the run folder: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err = errors.Join(err, root.Chmod(".", 0o700)); err != nil {
		return fmt.Errorf("prepare the run folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == ".run" || e.Name() == ".task" { // the latter says whose the folder is
			continue
		}
		makeAllAccessible(root, e.Name())
		if err := root.RemoveAll(e.Name()); err != nil {
			return fmt.Errorf("prepare the run folder: %w", err)
		}
	}
	return nil
}

// makeAllAccessible lets the owner into every folder from a path on, so that it can be
// removed: package caches like to be read-only.
func makeAllAccessible(root *os.Root, path string) {
	_ = fs.WalkDir(root.FS(), path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			makeAccessible(root, p)
		}
		return nil
	})
}

// makeAccessible opens a folder to its owner. What has been opened is changed, never
// what the path names by then: whoever swaps it for a link gains nothing.
func makeAccessible(root *os.Root, path string) {
	dir, err := root.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err == nil {
		defer dir.Close()
		if info, err := dir.Stat(); err == nil && info.Mode().Perm()&0o700 != 0o700 {
			_ = dir.Chmod(info.Mode().Perm() | 0o700)
		}
	} else if os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission) { // our own and inaccessible to ourselves: no privilege over others is used
		_ = root.Chmod(path, 0o700)
	}
}

// fetch gets the secrets that the environment names. The name of a secret is not the
// secret: no command must take it for that.
func (r *Runner) fetch(ctx context.Context, t work.Task) (map[string]string, *workflows.Reason, error) {
	i := slices.IndexFunc(t.Action.EnvironmentVariables, func(v workflows.EnvironmentVar) bool { return !v.Plain() })
	if i < 0 {
		return nil, nil, nil
	}
	refuse := func(format string, args ...any) (map[string]string, *workflows.Reason, error) {
		return nil, &workflows.Reason{Code: "ConfigurationInvalid", Message: fmt.Sprintf(format, args...)}, nil
	}
	if v := t.Action.EnvironmentVariables[i]; r.o.Fetch == nil {
		return refuse("the environment variable %s is of type %s, which commands cannot fetch here; let the command fetch it itself", v.Name, v.Type)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	values, refused, err := r.o.Fetch(ctx, t)
	if refused != nil || err != nil {
		return nil, refused, err
	}
	for _, v := range t.Action.EnvironmentVariables {
		value, fetched := values[v.Name]
		switch {
		case v.Plain():
		case !fetched:
			return refuse("the secret of the environment variable %s was not fetched", v.Name)
		case strings.ContainsRune(value, 0):
			return refuse("the secret of the environment variable %s holds a null character, which no environment can hold", v.Name)
		}
	}
	return values, nil, nil
}

// environment is everything that the commands see, an allow-list: nothing of
// the service's own but where programs are and the language.
func environment(t work.Task, secrets map[string]string, f folder) []string {
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
	maps.Copy(env, secrets)
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

// readOutputs reads what the script noted, and says what it could not take. The
// commands own the file, so it may be anything: it must be a plain file of
// theirs, and only so much is read.
func (j job) readOutputs() (out map[string]string, notes []string) {
	if len(j.Outputs) == 0 {
		return nil, nil
	}
	data, err := readPlain(j.Folder.exported(), 4<<20, j.As)
	_ = os.Remove(j.Folder.exported())                 // it holds the whole environment, secrets too
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a shell that was replaced never wrote it
		notes = append(notes, "the exported variables could not be read: "+j.Folder.scrub(err.Error()))
	}
	out = map[string]string{}
	for entry := range strings.SplitSeq(data, "\x00") {
		name, value, ok := strings.Cut(entry, "=")
		if _, seen := out[name]; ok && !seen && slices.Contains(j.Outputs, name) {
			out[name] = value
		}
	}
	for _, name := range j.Outputs {
		if value, ok := out[name]; !ok {
			notes = append(notes, "output variable "+name+" was not exported")
		} else if masks(j.Secrets, value) {
			notes = append(notes, "output variable "+name+" holds a secret and was not taken over")
			delete(out, name)
		}
	}
	return out, notes
}

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
		return "", errors.New("their file is not what the script wrote")
	}
	data := make([]byte, info.Size())
	n, err := file.ReadAt(data, 0)
	if n < len(data) && err != nil {
		return "", err
	}
	return string(data[:n]), nil
}
