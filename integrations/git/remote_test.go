package git

import (
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	web := map[bool]*Source{false: New(Options{CacheDir: t.TempDir()}), true: New(Options{CacheDir: t.TempDir(), AllowFileURLs: true, CloneURL: "file:///srv/git"})}
	for _, c := range []struct {
		provider, where string
		files           bool
		url, full, page string
		fails           string
	}{
		{GitHub, "acme/webshop", false, "https://github.com/acme/webshop.git", "acme/webshop", "https://github.com/acme/webshop", ""},
		{CodeStar, "a.b-c_d/e", true, "file:///srv/git/a.b-c_d/e.git", "a.b-c_d/e", "", ""},
		{CodeStar, "a.b-c_d/e", false, "", "", "", "provider: Git with the repository's address"}, // C19j: it may be Bitbucket's
		{CodeStar, "group/team/name", true, "", "", "", "provider: Git with the repository's address"},
		{GitHub, "acme/webshop", true, "file:///srv/git/acme/webshop.git", "acme/webshop", "", ""},
		{GitHub, "acme", false, "", "", "", "not of the form owner/name"},
		{GitHub, "acme/..", false, "", "", "", "not of the form owner/name"},
		{GitHub, "acme/web/shop", false, "", "", "", "not of the form owner/name"},
		{GitHub, "acme/web shop", false, "", "", "", "not of the form owner/name"},
		{Git, "https://git.example/acme/webshop.git", false, "https://git.example/acme/webshop.git", "acme/webshop", "https://git.example/acme/webshop", ""},
		{Git, "https://git.example/webshop", false, "https://git.example/webshop", "webshop", "", ""},
		{Git, "ssh://git@git.example:2222/acme/webshop.git", false, "ssh://git@git.example:2222/acme/webshop.git", "acme/webshop", "", ""},
		{Git, "git@git.example:acme/webshop.git", false, "git@git.example:acme/webshop.git", "acme/webshop", "", ""},
		{Git, "/srv/git/webshop.git", true, "/srv/git/webshop.git", "webshop", "", ""},
		{Git, "file:///srv/git/webshop.git", true, "file:///srv/git/webshop.git", "webshop", "", ""},
		{Git, "/srv/git/webshop.git", false, "", "", "", "sources.allowFileURLs"},
		{Git, "file:///srv/git/webshop.git", false, "", "", "", "sources.allowFileURLs"},
		{Git, "http://git.example/acme/webshop", true, "", "", "", "neither https nor ssh"},
		{Git, "git://git.example/acme/webshop", true, "", "", "", "neither https nor ssh"},
		{Git, "ext::sh -c touch% pwned", true, "", "", "", "no URL"},
		{Git, "ext::sh -c touch://pwned", true, "", "", "", "neither https nor ssh"},
		{Git, "--upload-pack=touch pwned", true, "", "", "", "no URL"},
		{Git, "-oProxyCommand=x:y", true, "", "", "", "no URL"},
		{Git, "ssh://-oProxyCommand=x/y", true, "", "", "", "no URL"},
		{Git, "git@-oProxyCommand=x:y", true, "", "", "", "no URL"},
		{Git, "https://ana:hunter2@git.example/acme/webshop", false, "", "", "", "user name or password"},
		{Git, "https://hunter2@git.example/acme/webshop", false, "", "", "", "user name or password"},
		{Git, "ssh://git:hunter2@git.example/acme/webshop", false, "", "", "", "user name or password"},
		{Git, "https://ana:hunter2@git.example/%zz", false, "", "", "", "user name or password"},
		{Git, "ana:hunter2@git.example:acme/webshop", false, "", "", "", "user name or password"},
		{Git, "https://ana:hunter2", false, "", "", "", "user name or password"},
		{Git, "https://git.example/acme/webshop?token=hunter2", false, "", "", "", "a query or a fragment"},
		{Git, "https://git.example/acme/webshop#hunter2", false, "", "", "", "a query or a fragment"},
		{Git, "https://git.example/a\nb", false, "", "", "", "no URL"},
		{Git, "https:///a", false, "", "", "", "neither https nor ssh"},
		{Git, "", false, "", "", "", "missing"},
		{"Manual", "", false, "", "", "", "provider"},
	} {
		t.Run(c.provider+" "+c.where, func(t *testing.T) {
			p, err := web[c.files].remote(c.provider, map[string]string{"BranchName": "main", "Repository": c.where, "FullRepositoryId": c.where})
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v, want one with %q", err, c.fails)
				}
				return
			}
			if err != nil || p.url != c.url || p.full != c.full || p.page != c.page || p.repository != c.where {
				t.Errorf("place %+v, error %v", p, err)
			}
		})
	}
}

func TestBranches(t *testing.T) {
	s := New(Options{CacheDir: t.TempDir()})
	for branch, ok := range map[string]bool{
		"main": true, "feature/x-1": true, "a@b": true, "ünï": true, "v1.2": true,
		"": false, "-x": false, "a..b": false, "a b": false, "a:b": false, "a*": false, "@": false, "a@{1}": false,
		"a.lock": false, "a.lock/b": false, "/a": false, "a/": false, "a//b": false, ".a": false, "a/.b": false, "a.": false, "a\nb": false, `a\b`: false, "+a": true,
	} {
		_, err := s.remote(GitHub, map[string]string{"BranchName": branch, "FullRepositoryId": "acme/webshop"})
		if (err == nil) != ok {
			t.Errorf("branch %q: %v", branch, err)
		}
	}
}

// Whatever the configuration says, git is given https, ssh or, where allowed,
// an absolute path, and nothing that looks like an option or a transport helper.
func FuzzPlace(f *testing.F) {
	for _, where := range []string{"https://git.example/a/b", "git@h:a", "ext::sh -c x", "--upload-pack=x", "../x", "file:///x", "a/b", "ssh://-o/x", "fd::7"} {
		f.Add(Git, where, "main", true)
		f.Add(GitHub, where, "main", false)
	}
	f.Fuzz(func(t *testing.T, provider, where, branch string, files bool) {
		s := &Source{o: Options{CloneURL: defaultURL, CacheDir: "/cache", AllowFileURLs: files}}
		p, err := s.remote(provider, map[string]string{"BranchName": branch, "Repository": where, "FullRepositoryId": where})
		if err != nil {
			return
		}
		file := strings.HasPrefix(p.url, "/") || strings.HasPrefix(p.url, "file:///")
		remote := strings.HasPrefix(strings.ToLower(p.url), "https://") || strings.HasPrefix(strings.ToLower(p.url), "ssh://") || scpRule().MatchString(p.url)
		switch {
		case file && !files, !file && !remote, !file && strings.Contains(p.url, "::") && !strings.Contains(p.url, "://"):
			t.Errorf("git is given %q", p.url)
		case strings.HasPrefix(p.branch, "-") || strings.ContainsAny(p.branch, " :*\n"):
			t.Errorf("git is given branch %q", p.branch)
		}
	})
}
