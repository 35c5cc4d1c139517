package git

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
)

// call is one run of git.
type call struct {
	args   []string
	env    []string  // besides the allow-list
	remote bool      // speaks to the repository: may need the token
	lock   *os.File  // inherited, so that it stays locked as long as git lives
	out    io.Writer // nil: returned, at most 1 MiB
}

const (
	maxOutput = 1 << 20
	maxErrors = 16 << 10
)

// binary finds git and says plainly when there is none.
func binary() (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", invalid("there is no git in PATH; install it (Debian: apt-get install git)")
	}
	return path, nil
}

// failure is git's refusal. Its text holds no secret.
type failure struct {
	verb   string
	status int // exit status; -1: killed
	text   string
	cause  error
}

// Error is the line of git's answer that says why.
func (f *failure) Error() string {
	why := f.text
	for line := range strings.Lines(f.text) {
		if rest, ok := strings.CutPrefix(line, "fatal: "); ok {
			why = rest
			break
		}
	}
	why = strings.Join(strings.Fields(why), " ")
	if len(why) > 300 { // paths are long, and what is wrong with them stands behind them
		why = strings.ToValidUTF8(why[:100]+" … "+why[len(why)-200:], "")
	}
	return fmt.Sprintf("git %s: %s", f.verb, why)
}

// Unwrap gives the end of the context, when that was why.
func (f *failure) Unwrap() error { return f.cause }

// git runs the binary with an environment that is an allow-list.
func (s *Source) git(ctx context.Context, p remote, c call) (string, error) {
	path, err := binary()
	if err != nil {
		return "", err
	}
	env, token, err := s.environment(ctx, p, c)
	if err != nil {
		return "", err
	}
	var out, errs bounded
	out.left, errs.left = maxOutput, maxErrors
	cmd := exec.CommandContext(ctx, path, c.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.o.CacheDir, env, &out, &errs
	if c.out != nil {
		cmd.Stdout = c.out
	}
	if c.lock != nil {
		cmd.ExtraFiles = []*os.File{c.lock}
	}
	// git's helpers are in its group; they end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	if err == nil {
		return out.String(), nil
	}
	f := &failure{verb: c.args[0], status: -1, text: token.hide(errs.String())}
	if ctx.Err() != nil {
		f.text, f.cause = "ended: "+ctx.Err().Error(), ctx.Err()
	} else if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		f.status = exit.ExitCode()
		if f.text == "" {
			f.text = err.Error()
		}
	} else {
		f.text = err.Error()
	}
	return "", f
}

// environment of git: programs, language, how to reach the network, and
// settings of ours only. The token goes in as the password for one URL.
func (s *Source) environment(ctx context.Context, p remote, c call) ([]string, secret, error) {
	protocols := "https:ssh"
	if s.o.AllowFileURLs {
		protocols += ":file"
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "LANG=C", "HOME=" + s.o.CacheDir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + s.settings(), "GIT_ATTR_NOSYSTEM=1",
		"GIT_ALLOW_PROTOCOL=" + protocols, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=",
		"GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=30", "GIT_NO_REPLACE_OBJECTS=1",
	}
	env = append(env, c.env...)
	if !c.remote {
		return env, secret{}, nil
	}
	for _, name := range []string{
		"SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	if p.at.Token == nil || !strings.HasPrefix(p.url, "https://") {
		return env, secret{}, nil
	}
	token, err := p.at.Token(ctx)
	if err != nil {
		return nil, secret{}, transientError{fmt.Errorf("get the token for %s: %w", p.at.CloneURL, err)}
	}
	if token == "" {
		return env, secret{}, nil
	}
	return append(env,
		"GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=credential."+p.at.CloneURL+".helper", "GIT_CONFIG_VALUE_0="+helper,
		userVariable+"="+p.at.user(),
		"GIT_CONFIG_KEY_1=credential.useHttpPath", "GIT_CONFIG_VALUE_1=true", // for a CloneURL with a path
		tokenVariable+"="+token,
	), secret{token, p.at.user()}, nil
}

// helper answers git's question for a password. A header would be sent on to
// wherever a redirect points; a password is asked for again, by the new address.
const (
	tokenVariable = "ROLLCALL_GIT_TOKEN"
	userVariable  = "ROLLCALL_GIT_USER"
	helper        = `!f() { case $1 in get) printf 'username=%s\npassword=%s\n' "$` + userVariable + `" "$` + tokenVariable + `";; esac; }; f`
)

// secret is a token that no text may show.
type secret struct{ token, user string }

// basic is how a token is sent, and so another form of it to hide.
func (s secret) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(s.user + ":" + s.token))
}

func (s secret) hide(text string) string {
	if s.token == "" {
		return text
	}
	return strings.NewReplacer(s.token, "***", s.basic(), "***").Replace(text)
}

// settings is the path of the only settings that git reads. They are a file,
// because git hands neither arguments nor GIT_CONFIG_COUNT on to the program
// that serves a local repository.
func (s *Source) settings() string { return filepath.Join(s.o.CacheDir, "gitconfig") }

// prepare makes the cache folder and the settings. A fetch notes the parents of
// commits in a file of their own (a commit graph), because while somebody waits
// for an approval histories are walked to their beginning.
func (s *Source) prepare() error {
	if err := os.MkdirAll(s.o.CacheDir, 0o700); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	text := "[core]\n\thooksPath = /dev/null\n\tprotectHFS = true\n\tprotectNTFS = true\n" +
		"[gc]\n\tautoDetach = false\n[fetch]\n\twriteCommitGraph = true\n[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60\n" +
		"[submodule]\n\trecurse = false\n[init]\n\tdefaultBranch = main\n"
	if s.o.AllowFileURLs {
		text += "[safe]\n\tdirectory = *\n" // a repository on this machine may be somebody else's
	}
	if old, err := os.ReadFile(s.settings()); err == nil && string(old) == text {
		return nil
	}
	next, err := os.CreateTemp(s.o.CacheDir, "gitconfig-")
	if err != nil {
		return fmt.Errorf("write git's settings: %w", err)
	}
	_, err = next.WriteString(text)
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), s.settings())
	}
	if err != nil {
		return fmt.Errorf("write git's settings: %w", err)
	}
	return nil
}

// compiled is a regular expression that is compiled when it is first needed: every
// command line and every supervisor starts with this package.
func compiled(form string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(form) })
}

var (
	gone   = compiled(`(?i)repository not found|not found: did you run|' not found|returned error: 404|does not appear to be a git repository`)
	denied = compiled(`(?i)authentication failed|could not read (username|password)|terminal prompts disabled|returned error: 40[13]|permission denied \(|host key verification failed`)
	// broken is a copy that a crash or a disk has damaged.
	broken = compiled(`(?i)\.lock': file exists|corrupt|loose object|bad object|bad tree|missing (blob|tree|commit)|not a git repository: |unable to read|invalid sha1 pointer|packfile .* (cannot|could not)|did not send all necessary objects`)
	// short is a machine that has too little of something.
	short = compiled(`(?i)no space left|quota exceeded|input/output error|out of memory|cannot allocate|too many open files|temporarily unavailable`)
)

// transientError is an error that passes by itself, whatever it says.
type transientError struct{ error }

// Unwrap is the cause.
func (o transientError) Unwrap() error { return o.error }

// transient says whether a fetch that ended in err may succeed when it is tried
// again: the other side or the way to it was in trouble, or this machine is short
// of something. Everything else is a matter of the commit, and stays as it is.
func transient(err error) bool {
	if _, ok := errors.AsType[transientError](err); ok || wire.TransientIO(err) {
		return true
	}
	f, ok := errors.AsType[*failure](err)
	return ok && (f.cause != nil || f.status < 0 || short().MatchString(f.text))
}

// damaged says whether the copy of a repository is.
func damaged(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && broken().MatchString(f.text)
}

// explain turns git's refusal into a Problem where trying again will not
// help, and into an error that says what was tried otherwise.
func (p remote) explain(doing string, err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	problem := &workflows.Problem{Code: workflows.CodeConflict}
	switch {
	case f.cause != nil:
		return fmt.Errorf("%s %s: %w", doing, p.repository, err)
	case strings.Contains(f.text, "couldn't find remote ref"):
		return p.noBranch()
	case denied().MatchString(f.text):
		problem.Message, problem.Hint = fmt.Sprintf("%s does not let rollcall in: %v", p.repository, f), "check the token or the ssh key and what it may read"
	case strings.Contains(f.text, "corruption on the remote side"):
		problem.Message, problem.Hint = fmt.Sprintf("the repository %s is damaged: %v", p.repository, f), "run git fsck in it"
	case gone().MatchString(f.text):
		problem.Message, problem.Hint = fmt.Sprintf("there is no repository %s, or rollcall may not see it: %v", p.repository, f), "check the name, and the token or the ssh key"
	default:
		return transientError{fmt.Errorf("%s %s: %w", doing, p.repository, err)}
	}
	return p.withConnectionHint(problem)
}

// bounded keeps the beginning of what is written and lets the rest go.
type bounded struct {
	bytes.Buffer
	left int
}

// Write never fails: the writer should not notice.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}
