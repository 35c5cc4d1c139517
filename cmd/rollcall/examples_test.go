package main

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/config"
)

// image is what the examples have to agree with: the Dockerfile.
type image struct{ data, port, uid, binary, user string }

func readImage(t *testing.T) image {
	t.Helper()
	text := example(t, "../Dockerfile")
	get := func(form string) string {
		m := regexp.MustCompile(form).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("the Dockerfile has no %s", form)
		}
		return m[1]
	}
	return image{get(`(?m)^VOLUME (\S+)`), get(`(?m)^EXPOSE (\d+)`), get(`--uid (\d+)`), get(`COPY --from=build \S+ (\S+)`), get(`(?m)^USER (\S+)`)}
}

func example(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// configOf carries the first `rollcall init` line of an example out and returns the configuration it makes.
func configOf(t *testing.T, text string) *config.Config {
	t.Helper()
	m := regexp.MustCompile(`(?m)rollcall init (\S+) (--[^#\n]+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("no rollcall init line")
	}
	dir := t.TempDir()
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-1")
	t.Setenv("SLACK_APP_TOKEN", "xapp-1")
	var out, err bytes.Buffer
	if code := run(append([]string{"init", dir}, strings.Fields(m[2])...), &out, &err); code != 0 {
		t.Fatalf("%s: status %d\n%s", m[0], code, &err)
	}
	c, e := config.Load(filepath.Join(dir, "rollcall.yaml"))
	if e != nil {
		t.Fatal(e)
	}
	return c
}

func TestExamplesCompose(t *testing.T) {
	text, img := example(t, "compose/compose.yaml"), readImage(t)
	var file struct {
		Services map[string]struct {
			Build          string
			Command, Ports []string
			Volumes        []string
			Environment    map[string]string
			Healthcheck    struct{ Test []string }
			Grace          string `yaml:"stop_grace_period"`
			ReadOnly       bool   `yaml:"read_only"`
			Deploy         any
		}
		Volumes map[string]any
	}
	decode(t, text, &file)
	s := file.Services["rollcall"]
	if len(file.Services) != 1 || s.Deploy != nil || s.Build != "../.." || !s.ReadOnly {
		t.Errorf("%+v", file)
	}
	if _, named := file.Volumes["data"]; !named || !slices.Contains(s.Volumes, "data:"+img.data) {
		t.Error("no volume at the image's data folder", s.Volumes)
	}
	if !slices.Equal(s.Ports, []string{"127.0.0.1:" + img.port + ":" + img.port}) {
		t.Error("only loopback may reach the port of the image:", s.Ports)
	}
	if !slices.Equal(s.Healthcheck.Test, []string{"CMD", img.binary, "healthcheck"}) || s.Environment["SLACK_BOT_TOKEN"] == "" {
		t.Errorf("%+v", s)
	}
	mounted := regexp.MustCompile(`^\./config:(\S+):ro$`)
	where := ""
	for _, v := range s.Volumes {
		if m := mounted.FindStringSubmatch(v); m != nil {
			where = m[1]
		}
	}
	if !slices.Equal(s.Command, []string{"serve", "--config", path.Join(where, "rollcall.yaml")}) {
		t.Error(s.Command, "does not read what is mounted at", where)
	}
	if c := configOf(t, text); c.DataDir != img.data || c.Listen != "0.0.0.0:"+img.port {
		t.Error("init makes a configuration for somewhere else:", c.DataDir, c.Listen)
	}
}

func TestExamplesSystemd(t *testing.T) {
	text, img := example(t, "systemd/rollcall.service"), readImage(t)
	unit := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			unit[key] = value
		}
	}
	for key, want := range map[string]string{
		"KillMode": "process", "Restart": "always", "User": img.user, "StateDirectory": "rollcall", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
		"ExecStart": img.binary + " serve --config /etc/rollcall/rollcall.yaml", "WantedBy": "multi-user.target",
	} {
		if unit[key] != want {
			t.Errorf("%s=%s, want %s", key, unit[key], want)
		}
	}
	if unit["PrivateTmp"] == "yes" {
		t.Error("a restart would empty /tmp below running deployments")
	}
	if !regexp.MustCompile(`(?s)# A restart must leave running deployments alone.*\nKillMode=process`).MatchString(text) {
		t.Error("KillMode has no reason beside it")
	}
	if c := configOf(t, text); c.DataDir != "/var/lib/"+unit["StateDirectory"] || c.DataDir != unit["WorkingDirectory"] {
		t.Error("init makes a configuration for somewhere else:", c.DataDir)
	}
}

// probe is an HTTP probe of Kubernetes.
type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func TestExamplesKubernetes(t *testing.T) {
	text, img := example(t, "kubernetes/rollcall.yaml"), readImage(t)
	var set struct {
		Kind string
		Spec struct {
			Replicas int
			Template struct {
				Spec struct {
					SecurityContext struct {
						RunAsNonRoot bool   `yaml:"runAsNonRoot"`
						User         string `yaml:"runAsUser"`
						Group        string `yaml:"fsGroup"`
					} `yaml:"securityContext"`
					Containers []struct {
						Args       []string
						Startup    probe `yaml:"startupProbe"`
						Readiness  probe `yaml:"readinessProbe"`
						Liveness   probe `yaml:"livenessProbe"`
						Privileges struct {
							Escalation bool `yaml:"allowPrivilegeEscalation"`
							ReadOnly   bool `yaml:"readOnlyRootFilesystem"`
						} `yaml:"securityContext"`
						Mounts []struct {
							Name string
							Path string `yaml:"mountPath"`
						} `yaml:"volumeMounts"`
					}
				}
			}
			Claims []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
		}
	}
	parts := strings.Split(text, "\n---\n")
	decode(t, parts[len(parts)-1], &set)
	pod := set.Spec.Template.Spec
	if set.Kind != "StatefulSet" || set.Spec.Replicas != 1 || len(pod.Containers) != 1 || len(set.Spec.Claims) != 1 {
		t.Fatalf("one replica of one container over one volume: %+v", set)
	}
	c := pod.Containers[0]
	paths := map[string]string{}
	for _, m := range c.Mounts {
		paths[m.Name] = m.Path
	}
	if paths[set.Spec.Claims[0].Metadata.Name] != img.data {
		t.Error("the volume is not at the image's data folder:", paths)
	}
	if !slices.Equal(c.Args, []string{"serve", "--config", paths["config"]}) || paths["pipelines"] != path.Join(path.Dir(paths["config"]), "pipelines") {
		t.Error(c.Args, paths)
	}
	if c.Startup.HTTPGet.Path != "/readyz" || c.Readiness.HTTPGet.Path != "/readyz" || c.Liveness.HTTPGet.Path != "/healthz" || c.Liveness.HTTPGet.Port != "http" {
		t.Errorf("probes: %+v", c)
	}
	if !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.User != img.uid || pod.SecurityContext.Group != pod.SecurityContext.User || c.Privileges.Escalation || !c.Privileges.ReadOnly {
		t.Errorf("security: %+v %+v", pod.SecurityContext, c.Privileges)
	}
	if cfg := configOf(t, text); cfg.DataDir != img.data || cfg.Listen != "0.0.0.0:"+img.port {
		t.Error("init makes a configuration for somewhere else:", cfg.DataDir, cfg.Listen)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
