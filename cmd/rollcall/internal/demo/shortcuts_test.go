package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/slack"
	"github.com/rollcall-bot/rollcall/integrations/slack/slackfake"
)

// The page of the demo offers every shortcut that the manifest asks for.
func TestTheDemoHasTheAppsShortcuts(t *testing.T) {
	w := slackfake.New(slackfake.Options{Shortcuts: shortcuts()})
	defer w.Close()
	ana := w.AddUser(slackfake.User{Name: "ana"})
	out := httptest.NewRecorder()
	w.Page().ServeHTTP(out, httptest.NewRequest(http.MethodGet, slackfake.PagePath+"state?as="+ana.ID, nil))
	var state struct {
		App struct{ Shortcuts []slackfake.Shortcut }
	}
	if err := json.Unmarshal(out.Body.Bytes(), &state); err != nil {
		t.Fatal(err)
	}
	want := slack.Shortcuts()
	if len(want) == 0 || len(state.App.Shortcuts) != len(want) {
		t.Fatalf("the page offers %v", state.App.Shortcuts)
	}
	for i, s := range state.App.Shortcuts {
		if s.Name != want[i].Name || s.CallbackID != want[i].Callback || s.Message != want[i].OnMessage {
			t.Errorf("the page offers %+v, the manifest asks for %+v", s, want[i])
		}
	}
}
