package session

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// alphabet has no vowels, so that codes are no words, and none that look alike.
const alphabet = "BCDFGHJKLMNPQRSTVWXZ"

// request is a terminal that wants to sign in, as it is kept under the hash of the
// token that the terminal has.
type request struct {
	Code    string    `json:"code"` // its hash
	Host    string    `json:"host"`
	Address string    `json:"address"`
	Made    time.Time `json:"made"`
	By      string    `json:"by,omitempty"` // the Slack user who typed the code
	Refused bool      `json:"refused,omitempty"`
}

// Login is what a terminal is given that wants to sign in.
type Login struct {
	Code    string    `json:"code"`  // for the person, to be typed in Slack
	URL     string    `json:"url"`   // a page that says so
	Token   string    `json:"token"` // the session's, once somebody has confirmed the code; until then it is nobody's
	Command string    `json:"command"`
	Expires time.Time `json:"expiresAt"`
}

// The states of a login.
const (
	Waiting = "waiting"
	Granted = "granted"
	Refused = "refused"
	Expired = "expired"
)

// Pending is a terminal that wants to sign in, as somebody who is asked sees it.
type Pending struct {
	ID      string // names it, and gives no right
	Host    string // as the terminal says
	Address string // that the request came from
	At      time.Time
}

// Begin is a terminal that wants to sign in: host is what it calls itself, address
// where it is. A *workflows.Problem says that too many do.
func (s *Sessions) Begin(ctx context.Context, host, address string) (Login, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now().UTC()
	network := network(address)
	if wait, stop := s.asked.tooMany(network, perAddress, codeFor, now); stop {
		return Login{}, tooMany("this address has asked for many codes", wait)
	}
	open, err := s.open(ctx)
	switch {
	case err != nil:
		return Login{}, err
	case len(open) >= openCodes:
		return Login{}, tooMany("too many terminals want to sign in at the same time", codeFor)
	}
	s.asked.add(network, now)
	code, token := newCode(), secret()
	r := request{Code: hash(code), Host: short(host), Address: short(address), Made: now}
	if err := s.o.Memos.NoteAll(ctx, map[string][]byte{ofCodes + hash(token): text(r)}); err != nil {
		return Login{}, fmt.Errorf("keep the code: %w", err)
	}
	shown := code[:4] + "-" + code[4:]
	return Login{Code: shown, URL: s.o.URL + "/login?code=" + shown, Token: token, Command: s.o.Command + " login " + shown, Expires: now.Add(codeFor)}, nil
}

// network is where an address is for counting: whoever has one address of IPv6 has
// 2^64 of them.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

func newCode() string {
	var b strings.Builder
	for b.Len() < 8 {
		var one [1]byte
		_, _ = rand.Read(one[:])                                   // never fails
		if n := int(one[0]); n < 256/len(alphabet)*len(alphabet) { // else some letters were likelier
			b.WriteByte(alphabet[n%len(alphabet)])
		}
	}
	return b.String()
}

// plainCode is a code as it is hashed, however it was typed.
func plainCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(alphabet, r) {
			return r
		}
		return -1
	}, strings.ToUpper(typed))
}

// pending is a request that waits, with its ID.
type pending struct {
	request
	id string
}

// open lists the requests that wait.
func (s *Sessions) open(ctx context.Context) (all []pending, err error) {
	memos, err := s.o.Memos.List(ctx, ofCodes)
	if err != nil {
		return nil, fmt.Errorf("list the codes: %w", err)
	}
	for _, m := range memos {
		p := pending{id: strings.TrimPrefix(m.Key, ofCodes)}
		if json.Unmarshal(m.Value, &p.request) == nil && s.isGood(p.Made, p.Made.Add(codeFor)) {
			all = append(all, p)
		}
	}
	return all, nil
}

// Claim says which terminal shows a code, to the person who typed it: nobody else
// can confirm it from then on. Nothing is granted by it.
func (s *Sessions) Claim(ctx context.Context, by workflows.Principal, code string) (Pending, error) {
	id, err := user(by)
	if err != nil {
		return Pending{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	if wait, stop := s.wrong.tooMany(id, wrongPer, codeFor, now); stop {
		return Pending{}, tooMany("you have typed several codes that were wrong", wait)
	}
	open, err := s.open(ctx)
	if err != nil {
		return Pending{}, err
	}
	typed, match := hash(plainCode(code)), -1
	for i := range open { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare([]byte(open[i].Code), []byte(typed)) == 1 {
			match = i
		}
	}
	if match < 0 || open[match].Refused || open[match].By != "" && open[match].By != id {
		s.wrong.add(id, now)
		return Pending{}, &workflows.Problem{Code: workflows.CodeConflict, Message: "no terminal waits with that code", Hint: "codes are good for five minutes and for one person: type rollcall login in the terminal for a new one"}
	}
	p := open[match]
	p.By = id
	if err := s.o.Memos.NoteAll(ctx, map[string][]byte{ofCodes + p.id: text(p.request)}); err != nil {
		return Pending{}, fmt.Errorf("keep whose code it is: %w", err)
	}
	return Pending{ID: p.id, Host: p.Host, Address: p.Address, At: p.Made}, nil
}

// Grant signs the terminal in that somebody has claimed, or refuses it. Repeated,
// it says the same.
func (s *Sessions) Grant(ctx context.Context, by workflows.Principal, id string, yes bool) (Pending, error) {
	return s.grant(ctx, by, id, yes, time.Time{})
}

// grant is Grant; the session ends then at the latest, unless that is zero.
func (s *Sessions) grant(ctx context.Context, by workflows.Principal, id string, yes bool, until time.Time) (Pending, error) {
	who, err := user(by)
	if err != nil {
		return Pending{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var r request
	ok, err := s.read(ctx, ofCodes+id, &r)
	p := Pending{ID: id, Host: r.Host, Address: r.Address, At: r.Made}
	var made row
	switch {
	case err != nil:
		return p, err
	case !ok:
		if known, err := s.read(ctx, ofSessions+id, &made); err == nil && known && made.User == who && yes {
			return Pending{ID: id, Host: made.Host, Address: made.Address, At: made.Made}, nil // pressed twice
		}
		return p, overCode()
	case r.By != who:
		return p, &workflows.Problem{Code: workflows.CodeAccessDenied, Message: "somebody else typed that code", Hint: "only they can confirm it"}
	case !s.isGood(r.Made, r.Made.Add(codeFor)) || r.Refused && yes:
		return p, overCode()
	}
	r.Refused = !yes
	write := map[string][]byte{ofCodes + id: text(r)}
	if yes {
		write[ofCodes+id] = nil
		// The ID is the hash of the token that the terminal has.
		if err := s.begin(ctx, id, row{User: who, Name: by.Called(), Kind: Terminal, Host: r.Host, Address: r.Address, Until: until}, write); err != nil {
			return p, err
		}
	}
	if err := s.o.Memos.NoteAll(ctx, write); err != nil {
		return p, fmt.Errorf("keep the session: %w", err)
	}
	s.o.Log.Info("somebody was asked whether a terminal is theirs", "user", who, "yes", yes, "host", r.Host, "address", r.Address)
	return p, nil
}

func overCode() *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeConflict, Message: "the terminal waits no more", Hint: "type rollcall login there for a new code"}
}

// Poll says how it stands with a login whose token the terminal has.
func (s *Sessions) Poll(ctx context.Context, token string) (state string, err error) {
	var signed row
	ok, err := s.read(ctx, ofSessions+hash(token), &signed)
	if err != nil || ok && s.isGood(signed.Made, signed.ends()) {
		return Granted, err
	}
	var r request
	ok, err = s.read(ctx, ofCodes+hash(token), &r)
	switch {
	case err != nil:
		return "", err
	case ok && r.Refused:
		return Refused, nil
	case ok && s.isGood(r.Made, r.Made.Add(codeFor)):
		return Waiting, nil
	}
	return Expired, nil
}
