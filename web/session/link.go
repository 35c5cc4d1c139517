package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// invitation is a link as it is kept.
type invitation struct {
	User string    `json:"user"`
	Name string    `json:"name"`
	To   string    `json:"to"` // a path of the console
	Made time.Time `json:"made"`
}

// Invite returns a link with which somebody signs in to the console, once and
// within two minutes; to is the path that they see then. What the link needs is
// durable when Invite returns. A *workflows.Problem says why there is none.
func (s *Sessions) Invite(ctx context.Context, by workflows.Principal, to string) (string, error) {
	if !s.o.Console {
		off := s.o.Off
		return "", &off
	}
	id, err := user(by)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
		to = "/"
	}
	if to == "/" { // there is nothing else yet to look at
		to = account
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now().UTC()
	if wait, stop := s.links.tooMany(id, linksPer, linksIn, now); stop {
		return "", tooMany("you have asked for several links already", wait)
	}
	s.links.add(id, now)
	token := secret()
	if err := s.o.Memos.NoteAll(ctx, map[string][]byte{ofLinks + hash(token): text(invitation{User: id, Name: by.Called(), To: to, Made: now})}); err != nil {
		return "", fmt.Errorf("keep the link: %w", err)
	}
	return s.o.URL + "/login?link=" + token, nil
}

// invited looks a link up and changes nothing; ok is false for one that is used, over, or none.
func (s *Sessions) invited(ctx context.Context, token string) (i invitation, ok bool, err error) {
	ok, err = s.read(ctx, ofLinks+hash(token), &i)
	return i, ok && s.o.Console && s.isGood(i.Made, i.Made.Add(linkFor)), err
}

// redeem makes a link a session, whose token it returns. Of several who try at the
// same time one has it. replaces is the token of the browser's earlier session.
func (s *Sessions) redeem(ctx context.Context, link, address, replaces string) (token, to string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok, err := s.invited(ctx, link)
	switch {
	case err != nil:
		return "", "", err
	case !ok:
		return "", "", s.overLink()
	}
	now, err := s.o.People.Person(ctx, i.User)
	if err != nil {
		return "", "", unchecked(err)
	}
	if _, err := user(now); err != nil {
		return "", "", err
	}
	token = secret()
	write := map[string][]byte{ofLinks + hash(link): nil}
	if replaces != "" {
		write[ofSessions+hash(replaces)] = nil
	}
	if err := s.begin(ctx, hash(token), row{User: i.User, Name: now.Called(), Kind: Browser, Address: address}, write); err != nil {
		return "", "", err
	}
	if err := s.o.Memos.NoteAll(ctx, write); err != nil {
		return "", "", fmt.Errorf("keep the session: %w", err)
	}
	s.o.Log.Info("somebody signed in", "user", i.User, "kind", Browser, "address", address)
	return token, i.To, nil
}

func (s *Sessions) overLink() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeConflict, Message: "this link has been used, or is more than two minutes old", Hint: "type " + s.o.Command + " console in Slack for a new one"}
}
