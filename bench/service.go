package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// token is the secret of the API token me, which may everything.
const token = "the-token-of-the-benchmarks-0123456789"

// extra is configuration that only some benchmarks need.
type extra struct{ text string }

// service is a running binary.
type service struct {
	place
	cmd   *exec.Cmd
	log   string
	url   string
	ready time.Duration // from the start of the process to its ready line
	http  *http.Client
}

// serve starts a binary at a place, and returns once it is ready.
func (s *suite) serve(ctx context.Context, sub subject, at place, x extra) (*service, error) {
	v := &service{place: at, url: fmt.Sprintf("http://127.0.0.1:%d", s.port), log: filepath.Join(at.dir, "log"),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
	config := fmt.Sprintf(`listen: 127.0.0.1:%d
dataDir: %s
pipelines: %s
sources: {allowFileURLs: true, pollInterval: 1h}
api:
  tokens:
    - {name: me, token: {file: token}, may: [view, logs, audit, edit, start, stop, retry, approve, rollback, lock, unlock, resolve, override]}
%s`, s.port, at.data(), at.pipelines, x.text)
	err := errors.Join(os.WriteFile(filepath.Join(at.dir, "token"), []byte(token), 0o600),
		os.WriteFile(filepath.Join(at.dir, "rollcall.yaml"), []byte(config), 0o600))
	if err != nil {
		return nil, err
	}
	return v, v.start(ctx, sub)
}

// start starts the process, also again after it was killed.
func (v *service) start(ctx context.Context, sub subject) error {
	log, err := os.OpenFile(v.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	v.cmd = exec.CommandContext(ctx, sub.path, "serve", "--config", filepath.Join(v.dir, "rollcall.yaml"))
	v.cmd.Stderr = log
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := v.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "is ready") {
			v.ready = time.Since(began)
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return nil
		}
	}
	_ = v.cmd.Wait()
	return fmt.Errorf("%s did not become ready: %s", sub.path, v.lastLine())
}

func (v *service) lastLine() string {
	text, _ := os.ReadFile(v.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// stop ends the process as an operator does.
func (v *service) stop() error {
	v.http.CloseIdleConnections()
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return v.cmd.Wait()
}

// kill ends it as a power cut does.
func (v *service) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

// end kills it and removes its place.
func (v *service) end() {
	v.kill()
	v.remove()
}

// used is how many bytes of the database are in use. A copy is looked at, since
// only one process may have the file open.
func (v *service) used() (float64, error) {
	path := filepath.Join(v.dir, "copy.db")
	defer os.Remove(path)
	if err := copyFile(filepath.Join(v.data(), "rollcall.db"), path); err != nil {
		return 0, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return 0, err
	}
	size := int64(0)
	err = db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	size -= int64(db.Stats().FreePageN * db.Info().PageSize)
	return float64(size), errors.Join(err, db.Close())
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}
