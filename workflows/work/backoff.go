package work

import "time"

// Backoff is the pause after so many failures in a row: 1 s, doubling to 60 s.
func Backoff(failures int) time.Duration {
	return min(time.Second<<min(failures, 6), time.Minute)
}
