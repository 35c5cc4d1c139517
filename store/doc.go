// Package store keeps what was decided, in one bbolt file.
package store
