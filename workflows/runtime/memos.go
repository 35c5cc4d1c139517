package runtime

import "context"

// OwnerMemos are the memos of one owner: what a follower or a bot must remember
// of the outside world.
type OwnerMemos struct {
	e     *Engine
	owner string
}

// MemosOf returns the memos of an owner; the name "runtime" is taken.
func (e *Engine) MemosOf(owner string) *OwnerMemos { return &OwnerMemos{e: e, owner: owner} }

// Memo returns one memo; ok is false when there is none.
func (m *OwnerMemos) Memo(ctx context.Context, key string) (value []byte, ok bool, err error) {
	return m.e.o.Memos.Memo(ctx, m.owner, key)
}

// List returns the memos whose key begins with prefix.
func (m *OwnerMemos) List(ctx context.Context, prefix string) ([]Memo, error) {
	return m.e.o.Memos.List(ctx, m.owner, prefix)
}

// Note writes a memo; an empty value deletes it. It is durable when Note
// returns nil; after an error it may be.
func (m *OwnerMemos) Note(ctx context.Context, key string, value []byte) error {
	return m.e.decider.Persist(ctx, Commit{Memos: []Memo{{Owner: m.owner, Key: key, Value: value}}})
}

// NoteAll writes several memos in one commit, by their keys.
func (m *OwnerMemos) NoteAll(ctx context.Context, values map[string][]byte) error {
	c := Commit{Memos: make([]Memo, 0, len(values))}
	for key, value := range values {
		c.Memos = append(c.Memos, Memo{Owner: m.owner, Key: key, Value: value})
	}
	return m.e.decider.Persist(ctx, c)
}
