package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// answer waits for what only this person sees and that matches, and returns what
// stands in the brackets.
func (w *fixture) answer(user slackfake.User, pattern string) (found string) {
	w.t.Helper()
	is := regexp.MustCompile(pattern)
	w.until(user.Name+" reads "+pattern, func() bool {
		for _, m := range w.slack.Ephemerals(user.ID) {
			if match := is.FindStringSubmatch(m.Text + string(m.Blocks)); match != nil {
				found = match[1]
				return true
			}
		}
		return false
	})
	return found
}

// Ana signs in with a link from Slack and votes in her own name with the cookie, Ben
// from a terminal with a code; both survive a kill, neither is in log, record or
// database, and a guest that Ana became is nobody.
func TestPeopleSignInFromSlackAndVoteInTheirOwnName(t *testing.T) {
	w := newWorld(t)
	w.rewrite("rollcall.yaml", "api:\n", "console: {enabled: true}\napi:\n")
	w.kill()
	w.start()
	w.commit("one", "First")
	if _, err := w.api.Start(t.Context(), "webshop"); err != nil {
		t.Fatal(err)
	}
	w.until("the gate is open", func() bool { return w.gate(1) != nil })

	w.types(w.ana, "console")
	link := strings.ReplaceAll(w.answer(w.ana, `"url":"([^"]*login\?link=[^"]*)"`), `\u0026`, "&")
	w.kill() // the link is durable before it is sent
	w.start()
	secret := strings.TrimPrefix(link, "http://"+w.addr+"/login?link=")
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: testTimeout}
	send := func(method, to, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	if res := send("GET", link, ""); res.StatusCode != 200 {
		t.Fatalf("the page of the link: %s", res.Status)
	}
	res := send("POST", "http://"+w.addr+"/login", url.Values{"link": {secret}}.Encode())
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Fatalf("signing in: %s", res.Status)
	}
	cookie := res.Cookies()[0]
	mine := []string{"Cookie", cookie.Name + "=" + cookie.Value}
	ours := append([]string{"Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}, mine...)
	home := send("GET", "http://"+w.addr+"/", "", mine...)
	if text, _ := io.ReadAll(home.Body); !strings.Contains(string(text), "(ana@acme.example)") || !strings.Contains(string(text), "Sign out") {
		t.Errorf("home: %s", text)
	}
	vote := "http://" + w.addr + "/api/v1/approvals/" + w.gate(1).Token
	if res := send("POST", vote, `{"answer":"approve"}`, append([]string{"Origin", "https://evil.example"}, mine...)...); res.StatusCode != http.StatusForbidden {
		t.Errorf("a vote that another site sends: %s", res.Status)
	}
	if res := send("POST", vote, `{"answer":"approve"}`, ours...); res.StatusCode != http.StatusOK {
		t.Errorf("Ana's vote: %s", res.Status)
	}

	terminal := &client.Client{URL: "http://" + w.addr, HTTP: w.api.HTTP}
	l, err := terminal.Login(t.Context(), "bens-laptop")
	if err != nil {
		t.Fatal(err)
	}
	w.types(w.ben, "login "+l.Code)
	w.answer(w.ben, `(bens-laptop)`)
	w.kill()
	w.start()
	for _, m := range w.slack.Ephemerals(w.ben.ID) {
		if strings.Contains(m.Text, "Is this terminal yours?") {
			w.acknowledged("Ben confirms", func() (slackfake.Ack, error) { return w.slack.Click(t.Context(), w.ben.ID, m.At(), "signin") })
		}
	}
	w.until("Ben's terminal is signed in", func() bool {
		state, err := terminal.LoginState(t.Context(), l.Token)
		return err == nil && state == "granted"
	})
	terminal.Token = l.Token
	if me, err := terminal.WhoAmI(t.Context()); err != nil || me.ID != "slack:"+w.ben.ID || me.Email != w.ben.Email || me.Via != "console" {
		t.Errorf("Ben is %+v, %v", me, err)
	}
	if err := terminal.Do(t.Context(), http.MethodPost, "approvals/"+w.gate(1).Token, map[string]string{"answer": "approve"}, nil); err != nil {
		t.Logf("Ben's vote: %v", err) // one may be enough
	}
	w.until("the votes are recorded", func() bool {
		for _, s := range w.execution(1).Stages {
			for _, a := range s.Actions {
				if a.Approval == nil {
					continue
				}
				for _, v := range a.Approval.Votes {
					if v.By.ID == "slack:"+w.ana.ID && v.By.Via == "console" && v.By.Email == w.ana.Email {
						return true
					}
				}
			}
		}
		return false
	})

	said := w.read("service.log")
	db, err := os.ReadFile(w.path("data", "rollcall.db"))
	if err != nil {
		t.Fatal(err)
	}
	// The code is in the receipt of the command that Ben typed: it is good for five minutes, and for him.
	for name, s := range map[string]string{"link": secret, "cookie": cookie.Value, "token": l.Token, "code": l.Code} {
		if s == "" || strings.Contains(said, s) || strings.Contains(string(db), s) && name != "code" {
			t.Errorf("the %s stands in the log or the database", name)
		}
	}
	w.slack.AddUser(slackfake.User{ID: w.ana.ID, Name: "ana", Real: "Ana", Email: w.ana.Email, Kind: slackfake.Guest})
	w.until("Ana, a guest now, is nobody", func() bool {
		return send("GET", "http://"+w.addr+"/api/v1/whoami", "", mine...).StatusCode == http.StatusUnauthorized
	})
	if err := terminal.Logout(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := terminal.WhoAmI(t.Context()); err == nil {
		t.Error("Ben is signed in after logout")
	}
}
