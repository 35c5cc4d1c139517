package runtime

import "context"

// Notebook is what a follower or a bot remembers of the outside world, under
// its own name.
type Notebook struct {
	e     *Engine
	owner string
}

// Notebook returns the notebook of an owner; the name "runtime" is taken.
func (e *Engine) Notebook(owner string) *Notebook { return &Notebook{e: e, owner: owner} }

// Memo returns one memo; ok is false when there is none.
func (n *Notebook) Memo(ctx context.Context, key string) (value []byte, ok bool, err error) {
	return n.e.o.Memos.Memo(ctx, n.owner, key)
}

// List returns the memos whose key begins with prefix.
func (n *Notebook) List(ctx context.Context, prefix string) ([]Memo, error) {
	return n.e.o.Memos.List(ctx, n.owner, prefix)
}

// Note writes a memo; an empty value deletes it. It is durable when Note
// returns nil; after an error it may be.
func (n *Notebook) Note(ctx context.Context, key string, value []byte) error {
	return n.e.persist(ctx, nil, []Memo{{Owner: n.owner, Key: key, Value: value}})
}
