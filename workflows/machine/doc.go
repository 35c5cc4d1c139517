// Package machine decides what happens in one pipeline. It is pure.
package machine
