package client

import (
	"context"
	"net/http"
	"time"
)

// Login is how somebody proves to a service that this terminal is theirs.
type Login struct {
	Code    string    `json:"code"`
	Command string    `json:"command"` // to be typed in Slack
	URL     string    `json:"url"`     // of a page that says so
	Token   string    `json:"token"`   // good once they have
	Expires time.Time `json:"expiresAt"`
}

// Login asks for a code; host is what this machine calls itself.
func (c *Client) Login(ctx context.Context, host string) (l Login, err error) {
	err = c.Do(ctx, http.MethodPost, "login", map[string]string{"host": host}, &l)
	return l, err
}

// LoginState says how it stands with a code: waiting, granted, refused or expired.
func (c *Client) LoginState(ctx context.Context, token string) (string, error) {
	var out struct {
		State string `json:"state"`
	}
	err := c.Do(ctx, http.MethodPost, "login/poll", map[string]string{"token": token}, &out)
	return out.State, err
}

// Logout ends the session that the token is of.
func (c *Client) Logout(ctx context.Context) error {
	return c.Do(ctx, http.MethodPost, "logout", nil, nil)
}
