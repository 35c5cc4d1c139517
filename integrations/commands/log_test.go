package commands

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hide masks text written in chunks of these sizes, repeated.
func hide(secrets []string, text string, sizes []byte) string {
	var out bytes.Buffer
	m := newMask(secrets, func(p []byte) { out.Write(p) })
	for i := 0; len(text) > 0; i++ {
		n := len(text)
		if len(sizes) > 0 {
			n = min(n, int(sizes[i%len(sizes)])%7+1)
		}
		m.write([]byte(text[:n]))
		text = text[n:]
	}
	m.flush()
	return out.String()
}

func TestMask(t *testing.T) {
	key := "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nshort\n-----END KEY-----\n"
	for _, c := range []struct {
		secrets    []string
		text, want string
	}{
		{[]string{"secret"}, "a secret, secretsecret, secre", "a ***, ******, secre"},
		{[]string{"abcd", "abcdef"}, "abcdef abcde abcd", "*** ***e ***"},
		{[]string{"", "abc"}, "abc stays: too short", "abc stays: too short"},
		{[]string{key}, "x" + strings.Trim(key, "\n") + "y", "x***y"},
		{[]string{key}, "x MIIEowIBAAKCAQEA short", "x *** short"},
		{[]string{"aaab"}, "aaaab aaaaaab", "a*** aaa***"},
	} {
		for _, sizes := range [][]byte{nil, {0}, {1, 2}, {6, 0, 3}} {
			if got := hide(c.secrets, c.text, sizes); got != c.want {
				t.Errorf("mask %q in %q, chunks %v: %q, want %q", c.secrets, c.text, sizes, got, c.want)
			}
		}
	}
}

// T12: a secret is found in the encodings in which programs hand it on, at any
// place of what they encode, and however base64 and hex are broken into lines.
func TestMaskEncodings(t *testing.T) {
	const secret = `xoxb-17/Geheim+"ß"?` + "\n" + `and=another&line`
	wrapped := func(text string, columns int) string {
		var b strings.Builder
		for i := 0; i < len(text); i += columns {
			b.WriteString(text[i:min(i+columns, len(text))] + "\n")
		}
		return b.String()
	}
	forms := map[string]func(string) string{
		"plain":     func(s string) string { return s },
		"base64":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64url": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"hex":       func(s string) string { return hex.EncodeToString([]byte(s)) },
		"HEX":       func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"query":     url.QueryEscape,
		"path":      url.PathEscape,
		"json":      func(s string) string { b, _ := json.Marshal(s); return string(b) },
		"base64 -w 76": func(s string) string {
			return wrapped(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 50)+s)), 76)
		},
		"xxd -p": func(s string) string { return wrapped(hex.EncodeToString([]byte(strings.Repeat("x", 25)+s)), 60) },
	}
	for name, encode := range forms {
		for _, before := range []string{"", "u", "u:", "x-access-token:"} {
			for _, after := range []string{"", "!", "@h", "@ho"} {
				text := encode(before + secret + after)
				for _, sizes := range [][]byte{nil, {0}, {6, 0, 3}} {
					got := hide([]string{secret}, "A="+text+" end\n", sizes)
					left := strings.NewReplacer("***", "", "\n", "").Replace(got)
					if !strings.Contains(got, masked) || len(left) > len(encode(before+after))+12 {
						t.Errorf("%s of %q: %q", name, before+secret+after, got)
					}
				}
			}
		}
	}
}

// What may be the beginning of an encoded secret holds back no line that people wait for.
func TestMaskLetsLinesPass(t *testing.T) {
	var out bytes.Buffer
	m := newMask([]string{"xoxb-17-Geheim"}, func(p []byte) { out.Write(p) })
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/" {
		out.Reset()
		line := "waiting " + string(c) + "\n"
		if m.write([]byte(line)); out.String() != line {
			t.Errorf("of %q came %q", line, out.String())
		}
	}
}

// However output is cut into chunks, the result is the same and holds no secret.
func FuzzMask(f *testing.F) {
	f.Add("secret", "another", "a secret and another secre", []byte{1, 5})
	f.Add("aaaa", "aaab", "aaaaabaaaab", []byte{0})
	f.Add("line one\nline two", "token", "line one\ntoken\nline two", []byte{3, 2})
	f.Fuzz(func(t *testing.T, a, b, text string, sizes []byte) {
		secrets := []string{a, b}
		got := hide(secrets, text, sizes)
		if whole := hide(secrets, text, nil); got != whole {
			t.Fatalf("in chunks %q, whole %q", got, whole)
		}
		for _, s := range secrets {
			s = strings.Trim(s, "\r\n")
			if len(s) >= shortestSecret && !strings.Contains(s, "*") && strings.Contains(got, s) {
				t.Fatalf("%q is in %q", s, got)
			}
		}
	})
}

func TestBoundedLog(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int64
		lines int
		want  string
	}{
		{"all fits", 1000, 3, "line\nline\nline\n"},
		{"head and tail touch", 20, 4, "line\nline\nline\nline\n"},
		{"the middle is left out", 20, 100, "line\nline\nline\n\n[rollcall] the log is full: 485 bytes are left out here\n"},
		{"the tail begins with a whole line", 28, 100, "line\nline\nline\nline\nl\n[rollcall] the log is full: 474 bytes are left out here\nline\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			l, err := openLog(path, c.limit, nil)
			if err != nil {
				t.Fatal(err)
			}
			for range c.lines {
				_, _ = l.Write([]byte("line\n"))
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(path); string(data) != c.want {
				t.Errorf("log %q, want %q", data, c.want)
			}
		})
	}
}
