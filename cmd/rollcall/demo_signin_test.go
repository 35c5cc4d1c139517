package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
)

// In the demo people sign in from its Slack as they do elsewhere: in a browser by a
// link, and in a terminal, whose code a page shows that opens.
func TestDemoSignsPeopleIn(t *testing.T) {
	t.Parallel()
	v := visitDemo(t, t.TempDir(), freeAddr(t))
	if err := v.act("command", map[string]any{"as": "UANA", "channel": "CDEPLOYS", "text": "console"}); err != nil {
		t.Fatal(err)
	}
	link := ""
	v.until("Ana has a link", func() bool {
		var raw bytes.Buffer
		req, err := v.request(http.MethodGet, "/workspace/api/state?as=UANA", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		_, err = raw.ReadFrom(res.Body)
		link = regexp.MustCompile(`/login\?link=[0-9a-f]+`).FindString(raw.String())
		return err == nil && link != ""
	})
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(method, path, body string, cookies ...*http.Cookie) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+v.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+v.addr)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		res, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	res := send("POST", "/login", url.Values{"link": {strings.TrimPrefix(link, "/login?link=")}}.Encode())
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	page, err := io.ReadAll(send("GET", res.Header.Get("Location"), "", res.Cookies()...).Body)
	if err != nil || !strings.Contains(string(page), "You are signed in as <strong>Ana</strong>") {
		t.Errorf("%v %s", err, page)
	}
	l, err := (&client.Client{URL: "http://" + v.addr, HTTP: browser}).Login(t.Context(), "laptop")
	if err != nil {
		t.Fatal(err)
	}
	if res := send("GET", strings.TrimPrefix(l.URL, "http://"+v.addr), ""); res.StatusCode != http.StatusOK {
		t.Errorf("the page of the code: %s", res.Status)
	}
}
