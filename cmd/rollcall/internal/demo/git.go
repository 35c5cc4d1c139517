package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// repository is the shop's bare repository.
type repository struct {
	dir, home string
}

// git runs git there. Its environment is an allow-list: no configuration of
// the user's or the machine's is read, and nobody is asked anything.
func (r repository) git(ctx context.Context, in io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = r.home, in
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + r.home, "GIT_DIR=" + r.dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS="}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// change is a commit to be made: all files of the tree, by path.
type change struct {
	title string
	files map[string]string
}

// commit adds changes to main, oldest first, in one run of git, and returns the head.
func (r repository) commit(ctx context.Context, changes []change, fresh bool) (string, error) {
	var in bytes.Buffer
	text := func(s string) { fmt.Fprintf(&in, "data %d\n%s\n", len(s), s) }
	for i, c := range changes {
		who := fmt.Sprintf("Dan <%s> %d +0000", mail("dan"), time.Now().Unix())
		fmt.Fprintf(&in, "commit refs/heads/main\nauthor %s\ncommitter %s\n", who, who)
		text(c.title)
		if i == 0 && !fresh {
			fmt.Fprintln(&in, "from refs/heads/main^0")
		}
		fmt.Fprintln(&in, "deleteall")
		for _, name := range slices.Sorted(maps.Keys(c.files)) {
			fmt.Fprintf(&in, "M 100644 inline %s\n", name)
			text(c.files[name])
		}
	}
	if _, err := r.git(ctx, &in, "fast-import", "--quiet"); err != nil {
		return "", fmt.Errorf("commit to the shop's repository: %w", err)
	}
	head, err := r.git(ctx, nil, "rev-parse", "refs/heads/main")
	return strings.TrimSpace(head), err
}

// history is every commit of main, oldest first.
func (r repository) history(ctx context.Context) ([]string, error) {
	out, err := r.git(ctx, nil, "rev-list", "--reverse", "refs/heads/main")
	if err != nil {
		return nil, fmt.Errorf("read the shop's history: %w", err)
	}
	return strings.Fields(out), nil
}

// show is a commit for people to read.
func (r repository) show(ctx context.Context, commit string) (string, error) {
	return r.git(ctx, nil, "show", "--stat", "--patch", "--no-color", commit, "--")
}
