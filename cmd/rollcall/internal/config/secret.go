package config

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Secret is a value that is never printed. Reveal is the only way to it.
type Secret struct {
	value string
	given bool // the file says where it is
	kept  bool // AWS keeps it
}

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return s.value }

// Set says whether there is a secret.
func (s Secret) Set() bool { return s.value != "" }

// String hides the value.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return "****"
}

// GoString hides the value from %#v as well.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the value from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// readSecret takes {env: NAME}, {file: PATH}, or a literal from a private file.
func (d *decoder) readSecret(n *yaml.Node, path string, s *Secret) {
	s.given = true
	if m := fields(n); m != nil {
		d.readSecretFrom(n, path, m, s)
		return
	}
	text, ok := scalar(n)
	switch {
	case !ok:
		d.problem(n, path+" must be a secret", "write {env: NAME} or {file: PATH}")
	case !d.private:
		d.problem(n, path+" holds a secret as plain text in a file that others can read", "write {env: NAME} or {file: PATH}, or make the file private: chmod 600 "+d.file)
	default:
		s.value = text
	}
}

func (d *decoder) readSecretFrom(n *yaml.Node, path string, m []entry, s *Secret) {
	if len(m) != 1 {
		d.problem(n, path+" must be read from exactly one place", "write {env: NAME} or {file: PATH}")
		return
	}
	key := m[0].key.Value
	name, _ := scalar(m[0].value)
	switch {
	case name == "":
		d.problem(m[0].key, path+"."+key+" is empty", "")
	case key == "env":
		if s.value = os.Getenv(name); s.value == "" {
			d.problem(m[0].value, fmt.Sprintf("%s: the environment variable %s is not set", path, name), "set it before rollcall starts")
			d.unset()
		}
	case key == "ssm" || key == "secretsManager":
		k := Kept{Path: path, From: key, Name: name, line: m[0].value.Line, col: m[0].value.Column}
		d.kept = append(d.kept, k)
		s.value, s.kept = d.values[k.ref()], true
	case key == "file":
		data, err := os.ReadFile(d.abs(name))
		if s.value = strings.TrimSpace(string(data)); err != nil || s.value == "" {
			d.problem(m[0].value, fmt.Sprintf("%s: the file %s cannot be read or is empty", path, name), "paths are relative to the configuration file")
			d.unset()
		}
	default:
		d.problem(m[0].key, path+": a secret cannot be read from "+key, "write {env: NAME}, {file: PATH}, {ssm: NAME} or {secretsManager: ID#KEY}")
	}
}

// unset marks the problem that was found last.
func (d *decoder) unset() { d.problems[len(d.problems)-1].Unset = true }
