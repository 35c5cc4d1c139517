package commands

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is whom commands run as; nil: the service's own.
type account struct {
	Name   string   `json:"name"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
}

// lookUp finds the account of that name. "" and the service's own name give nil.
func lookUp(name string) (*account, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("commands should run as %q, but this machine does not know that user: %w", name, err)
	}
	uid, err := number(u.Uid)
	if err != nil {
		return nil, err
	}
	if int(uid) == os.Geteuid() {
		return nil, nil
	}
	if missing := lacks(); len(missing) > 0 {
		return nil, fmt.Errorf("commands should run as %q, but the service lacks %s; start it with these capabilities (examples/systemd), as root, or as %q", name, strings.Join(missing, ", "), name)
	}
	gid, err := number(u.Gid)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up the groups of %q: %w", name, err)
	}
	a := &account{Name: name, UID: uid, GID: gid}
	for _, id := range ids {
		n, err := number(id)
		if err != nil {
			return nil, err
		}
		a.Groups = append(a.Groups, n)
	}
	return a, nil
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("this machine names a user or group %q, not by a number", id)
	}
	return uint32(n), nil
}

// credential is what the kernel needs to start a process as the account.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: a.Groups}
}

// reaches says which folder on the way to path the account cannot enter.
func (a *account) reaches(path string) error {
	if a == nil {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look whether %q can enter %s: %w", a.Name, dir, err)
		}
		if !a.mayEnter(info) {
			return fmt.Errorf("commands should run as %q, who cannot enter %s; allow it with: chmod o+x %s", a.Name, dir, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a *account) mayEnter(dir fs.FileInfo) bool {
	st, ok := dir.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := dir.Mode().Perm()
	switch {
	case st.Uid == a.UID:
		return mode&0o100 != 0
	case st.Gid == a.GID || slices.Contains(a.Groups, st.Gid):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// owns says whether the file was made by the account (or by the service's own).
func (a *account) owns(file fs.FileInfo) bool {
	st, ok := file.Sys().(*syscall.Stat_t)
	if a == nil || !ok {
		return true
	}
	return st.Uid == a.UID
}

// own gives everything in the run folder but .run to the account. The run
// folder opens to others only afterwards. Everything goes through a handle of
// it, so that a link in the place of a folder leads nowhere.
func (a *account) own(f folder) error {
	if a == nil {
		return nil
	}
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return fmt.Errorf("give the run folder to %q: %w", a.Name, err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == ".":
			return root.Chmod(".", 0o700)
		case path == ".run":
			return fs.SkipDir
		}
		return root.Lchown(path, int(a.UID), int(a.GID))
	})
	if err == nil {
		err = root.Chmod(".", 0o711)
	}
	if err != nil {
		return fmt.Errorf("give the run folder to %q: %w", a.Name, err)
	}
	return nil
}
