package api

import "context"

// Notes remembers what GitHub has taken.
type Notes interface {
	Memo(ctx context.Context, key string) (value []byte, ok bool, err error)
	Note(ctx context.Context, key string, value []byte) error // durable when it returns; an empty value deletes
}
