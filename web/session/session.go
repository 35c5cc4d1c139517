// Package session knows who is signed in: people who proved in Slack who they are,
// in a browser (the console) or in a terminal (rollcall login).
//
// A session is 256 random bits that the browser or the terminal keeps; here only
// their hash is kept, durably. It ends 12 hours after its last use, 7 days after
// it began, when somebody ends it, and with the person's membership: who they are
// is asked anew at every request, so a guest or somebody deactivated is nobody at once.
//
// There are two ways in, and both begin or end in Slack, where people are verified:
// a link that works once ([Sessions.Invite]), which somebody asks for there and
// which is redeemed by a POST, so that previews and prefetching use nothing up; and
// a code ([Sessions.Begin]) that a terminal shows and that somebody confirms there,
// or in a browser that is signed in.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	idleFor      = 12 * time.Hour     // a session ends so long after its last use
	lastsFor     = 7 * 24 * time.Hour // and so long after it began
	noteUse      = 5 * time.Minute    // how exactly the last use is kept
	clocksDiffer = time.Minute        // that the clock may be set back while something is good
	perPerson    = 20                 // sessions of one person; a further one ends the oldest
	linkFor      = 2 * time.Minute
	codeFor      = 5 * time.Minute
	openCodes    = 500 // that wait at the same time
	perAddress   = 20  // codes that one address may ask for in codeFor
	linksIn      = 10 * time.Minute
	linksPer     = 5 // links that one person may ask for in linksIn
	wrongPer     = 5 // wrong codes that one person may type in codeFor
	codeTooMany  = "TooManyRequests"
)

// The kinds of a session.
const (
	Browser  = "browser"
	Terminal = "terminal"
)

// Memos keeps what must outlive the process. *runtime.OwnerMemos is one.
type Memos interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	// List returns the memos whose key begins with prefix.
	List(ctx context.Context, prefix string) ([]record.Memo, error)
	// NoteAll writes several in one commit; an empty value deletes.
	NoteAll(ctx context.Context, values map[string][]byte) error
}

// People knows who the members of the workspace are.
type People interface {
	// Person is who a Slack user is now, at most 5 s ago: a Stranger when no full
	// member of the workspace. An error means that nobody could be asked.
	Person(ctx context.Context, user string) (workflows.Principal, error)
	// Team is the ID of the workspace.
	Team(ctx context.Context) (string, error)
}

// Options are what Sessions are made of. Memos and People must be set.
type Options struct {
	Memos  Memos
	People People
	// URL is the address of the service as people's browsers reach it, without a
	// slash at its end.
	URL string
	// Console says that people may sign in with a browser; Off says why they may
	// not, as a sentence and what to do.
	Console bool
	Off     workflows.Problem
	Command string // the slash command; "/rollcall" when empty
	// Restored is when a backup was restored last: what was made before is good no
	// more, because what ended since is not known. Zero: never.
	Restored time.Time
	Now      func() time.Time // time.Now when nil
	Log      *slog.Logger     // discards when nil
}

// Sessions are those of one service. They are safe for use by many goroutines.
type Sessions struct {
	o     Options
	mu    sync.Mutex // who holds it reads and writes memos
	links attempts   // by person
	wrong attempts   // by person
	asked attempts   // by address
}

// New returns the sessions that the memos hold. [Sessions.Run] should run beside it.
func New(o Options) *Sessions {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Command == "" {
		o.Command = "/rollcall"
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	return &Sessions{o: o, links: attempts{}, wrong: attempts{}, asked: attempts{}}
}

// Session is somebody who is signed in, as they see it themselves.
type Session struct {
	ID      string    `json:"id"`   // names it, and gives no right
	Kind    string    `json:"kind"` // browser|terminal
	Host    string    `json:"host,omitempty"`
	Address string    `json:"address,omitempty"` // that it was asked for from
	Made    time.Time `json:"startedAt"`
	Seen    time.Time `json:"usedAt"`    // exact to 5 minutes
	Ends    time.Time `json:"expiresAt"` // if it is not used until then
	Current bool      `json:"current"`
}

// The keys of memos: a kind, then the hash of a secret.
const (
	ofSessions = "session/"
	ofLinks    = "link/"
	ofCodes    = "code/"
)

// row is a session as it is kept.
type row struct {
	User    string    `json:"user"` // Slack's ID
	Team    string    `json:"team"`
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Host    string    `json:"host,omitempty"`
	Address string    `json:"address,omitempty"`
	Made    time.Time `json:"made"`
	Seen    time.Time `json:"seen"`
	// Until is when the session ends in which this one was confirmed; zero: in Slack.
	Until time.Time `json:"until,omitzero"`
}

// last is when the session ends however it is used. One that was confirmed in
// another does not outlive it: else a stolen one could renew itself for ever.
func (r *row) last() time.Time {
	last := r.Made.Add(lastsFor)
	if !r.Until.IsZero() && r.Until.Before(last) {
		return r.Until
	}
	return last
}

func (r *row) ends() time.Time {
	if idle := r.Seen.Add(idleFor); idle.Before(r.last()) {
		return idle
	}
	return r.last()
}

// isGood says whether something made then still counts, until when it ends. What was
// made later than now was made while the clock was wrong: nobody knows how old it is.
func (s *Sessions) isGood(made, ends time.Time) bool {
	now := s.o.Now()
	return now.Before(ends) && made.After(s.o.Restored) && !made.After(now.Add(clocksDiffer))
}

// secret is 256 random bits as text.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// hash is what is kept of a secret.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s *Sessions) read(ctx context.Context, key string, into any) (ok bool, err error) {
	raw, ok, err := s.o.Memos.Memo(ctx, key)
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("read what was kept of a sign-in: %w", err)
	}
	return true, nil
}

// text is a row as it is kept.
func text(v any) []byte {
	raw, _ := json.Marshal(v) // texts and times always marshal
	return raw
}

// found is a session with the key of its memo.
type found struct {
	row
	key string
}

// ofUser lists somebody's sessions that are good, the oldest first.
func (s *Sessions) ofUser(ctx context.Context, user string) (all []found, err error) {
	memos, err := s.o.Memos.List(ctx, ofSessions)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	for _, m := range memos {
		f := found{key: m.Key}
		if json.Unmarshal(m.Value, &f.row) == nil && f.User == user && s.isGood(f.Made, f.ends()) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b found) int { return a.Made.Compare(b.Made) })
	return all, nil
}

// begin adds a session to what is written, under the hash of its token; the oldest
// of too many goes in the same commit.
func (s *Sessions) begin(ctx context.Context, hashed string, r row, write map[string][]byte) error {
	team, err := s.o.People.Team(ctx)
	if err != nil {
		return unchecked(err)
	}
	r.Team, r.Made, r.Seen = team, s.o.Now().UTC(), s.o.Now().UTC()
	mine, err := s.ofUser(ctx, r.User)
	if err != nil {
		return err
	}
	for i := range max(0, len(mine)-perPerson+1) {
		write[mine[i].key] = nil
	}
	write[ofSessions+hashed] = text(r)
	return nil
}

// user is the Slack user behind a principal whom Slack has verified.
func user(by workflows.Principal) (string, error) {
	id, ok := strings.CutPrefix(by.ID, "slack:")
	if !ok || by.Stranger != "" {
		return "", &workflows.Problem{Code: workflows.CodeAccessDenied, Message: by.Called() + " cannot sign in", Hint: "only full members of the Slack workspace can"}
	}
	return id, nil
}

func unchecked(err error) error {
	return fmt.Errorf("%w: %w", &workflows.Problem{Code: workflows.CodeUnavailable, Message: "could not check who you are: Slack did not say", Hint: "try again in a moment"}, err)
}

// short makes text from outside fit to be shown in a line.
func short(s string) string { return words.Cut(clean.Line(s), 64) }

// Run removes what has ended, until ctx ends.
func (s *Sessions) Run(ctx context.Context) error {
	for {
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Minute):
		}
	}
}

// sweep removes what has ended. What cannot be removed now is removed later.
func (s *Sessions) sweep(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	write := map[string][]byte{}
	for prefix, lasts := range map[string]time.Duration{ofLinks: linkFor, ofCodes: codeFor, ofSessions: 0} {
		memos, err := s.o.Memos.List(ctx, prefix)
		if err != nil {
			return
		}
		for _, m := range memos {
			var r row // the others have made too
			bad := json.Unmarshal(m.Value, &r) != nil
			ends := r.Made.Add(lasts)
			if lasts == 0 {
				ends = r.ends()
			}
			if bad || !s.isGood(r.Made, ends) {
				write[m.Key] = nil
			}
		}
	}
	if len(write) > 0 {
		if err := s.o.Memos.NoteAll(ctx, write); err != nil {
			s.o.Log.Debug("sessions that have ended could not be removed", "error", err)
		}
	}
}

// attempts counts what somebody did lately.
type attempts map[string][]time.Time

// tooMany says whether somebody did something n times within a time, and since when they may again.
func (a attempts) tooMany(who string, n int, within time.Duration, now time.Time) (time.Duration, bool) {
	recent := slices.DeleteFunc(a[who], func(at time.Time) bool { return now.Sub(at) >= within })
	if len(recent) == 0 { // asking leaves nothing behind
		delete(a, who)
		return 0, false
	}
	a[who] = recent
	if len(recent) < n {
		return 0, false
	}
	return within - now.Sub(recent[0]), true
}

func (a attempts) add(who string, now time.Time) {
	if len(a) > 10_000 { // whoever has so many names is not slowed down by name
		clear(a)
	}
	a[who] = append(a[who], now)
}

func tooMany(what string, wait time.Duration) *workflows.Problem {
	return &workflows.Problem{Code: codeTooMany, Message: what, Hint: "try again in " + words.Span(wait)}
}
