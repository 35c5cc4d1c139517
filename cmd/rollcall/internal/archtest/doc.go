// Package archtest holds no code: its tests check the rules that the whole
// repository keeps, which package may import which, what pure packages must
// not touch, and how large things may grow (docs/architecture.md).
package archtest
