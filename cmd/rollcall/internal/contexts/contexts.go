// Package contexts keeps which services somebody has signed in to, and with what
// token, in a file that only they can read.
package contexts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Context is a service and the token for it.
type Context struct {
	Name  string `yaml:"name"`
	URL   string `yaml:"url"`
	Token string `yaml:"token"`
	// Session: the token is a person's session, and not one of the service's api.tokens.
	Session bool `yaml:"session,omitempty"`
}

// Contexts are all that were kept, and which one is meant when none is named.
type Contexts struct {
	Current string    `yaml:"current"`
	All     []Context `yaml:"contexts"`
}

// Path is where they are kept: rollcall/config.yaml in $XDG_CONFIG_HOME, or in
// the folder of the operating system for such files. It is empty when the
// environment names neither that nor a home.
func Path() string {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return ""
		}
	}
	return filepath.Join(dir, "rollcall", "config.yaml")
}

// Read reads a file of contexts. Without a file there are none; an error is a
// file that cannot be read or is something else.
func Read(path string) (c Contexts, err error) {
	data, err := os.ReadFile(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read the contexts: %w", err)
	}
	if err := yaml.Unmarshal(data, &c); err != nil { // its error may quote a token
		return Contexts{}, &workflows.Problem{Message: path + " is no file of contexts", Hint: "take it away and sign in again: rollcall login URL"}
	}
	return c, nil
}

// Find returns the context of this name, of an empty one the current. There may
// be no current one: that is an empty context. A name that is not kept is a Problem.
func (c *Contexts) Find(name string) (Context, error) {
	wanted := name
	if name == "" {
		wanted = c.Current
	}
	for _, one := range c.All {
		if one.Name == wanted {
			return one, nil
		}
	}
	if name == "" {
		return Context{}, nil
	}
	p := &workflows.Problem{Message: "there is no context " + name, Hint: "sign in first: rollcall login URL --context " + name}
	if known := c.Names(); len(known) > 0 {
		p.Hint = "there is " + strings.Join(known, ", ") + "; sign in to another service with: rollcall login URL --context NAME"
	}
	return Context{}, p
}

// Names are the names of all, as they were added.
func (c *Contexts) Names() (names []string) {
	for _, one := range c.All {
		names = append(names, one.Name)
	}
	return names
}

// Put keeps a context instead of the one of the same name, and makes it the current one.
func (c *Contexts) Put(one Context) {
	c.Remove(one.Name)
	c.All = append(c.All, one)
	c.Current = one.Name
}

// Remove forgets a context. If it was the current one there is none then.
func (c *Contexts) Remove(name string) {
	c.All = slices.DeleteFunc(c.All, func(one Context) bool { return one.Name == name })
	if c.Current == name {
		c.Current = ""
	}
}

// Write replaces the file, which only its owner may read: whole, or not at all.
func (c *Contexts) Write(path string) (err error) {
	if path == "" {
		return errors.New("there is no folder for contexts: set XDG_CONFIG_HOME or HOME")
	}
	data, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	return nil
}
