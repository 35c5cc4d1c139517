package delivery

import (
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// Emails joins GitHub logins with e-mail addresses, as the configuration says.
type Emails map[string]string

// NewEmails takes GitHub logins, in any case, to e-mail addresses.
func NewEmails(m map[string]string) Emails {
	p := make(Emails, len(m))
	for login, mail := range m {
		p[strings.ToLower(login)] = mail
	}
	return p
}

// Join names the author and the pusher as chat knows them. Only exclusion looks at these.
func (p Emails) Join(c *work.Change) {
	login := strings.TrimPrefix(c.By.ID, "github:")
	if mail, ok := p[strings.ToLower(login)]; ok {
		c.By.Email = mail
	}
	if c.Author != nil {
		p.Name(c.Author)
	}
	for i := range c.Authors {
		p.Name(&c.Authors[i])
	}
}

// Name gives an author the address of its login, if there is one.
func (p Emails) Name(a *workflows.Author) {
	if mail, ok := p[strings.ToLower(a.Login)]; ok && a.Login != "" {
		a.Email = mail
	}
}
