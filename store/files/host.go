package files

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// hostFile holds the ID of the host, in the data folder.
const hostFile = "host"

// longestHost is how many bytes of the machine's name an ID takes over.
const longestHost = 40

// Host names the host: whoever works in this data folder, whatever the process.
// It is made once and stays, also when the folder is moved or restored. A task
// remembers it, because its run folder is here and nowhere else.
func (f *Files) Host() string { return f.host }

// knowHost reads who we are, or decides it.
func (f *Files) knowHost() error {
	path := filepath.Join(f.dir, hostFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = newHost(f.dir, path); err == nil {
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return fmt.Errorf("read which host this is: %w", err)
	}
	f.host = string(bytes.TrimSpace(text))
	if f.host == "" || len(f.host) > 2*longestHost || f.host != plain(f.host) {
		return fmt.Errorf("%s does not hold the ID of a host: letters, digits and dashes in one line; write back what it held, or remove it if no command of this folder is under way", path)
	}
	return nil
}

// newHost makes up an ID that tells people which machine is meant. Of two
// processes that do so at once, one wins.
func newHost(dir, path string) error {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	name, _ := os.Hostname() // a machine without a name is "host"
	id := cmp.Or(plain(name[:min(len(name), longestHost)]), "host") + "-" + hex.EncodeToString(random)
	tmp, err := os.CreateTemp(dir, partial)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(id + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// plain is what of a name an ID may hold.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
			return r
		case r == '.' || r == '_':
			return '-'
		}
		return -1
	}, name)
	return name[:min(len(name), 2*longestHost)]
}
