package demo

import (
	"hash/fnv"
	"strconv"
	"time"
)

const (
	window   = 90 * time.Second // that the error-rate line shows
	usual    = 0.004            // the share of requests that fail in a shop that is well
	trouble  = 0.03             // above it, somebody should look
	heard    = 5 * time.Second  // until the first customers try a coupon
	everyone = 20 * time.Second // until as many use coupons as ever will
	keen     = 0.6              // the share of customers who then do
)

// Rate is the share of requests that fail, from 0 to 1, at a moment.
type Rate struct {
	At   int64   `json:"at"` // milliseconds
	Rate float64 `json:"rate"`
}

// rateAt is the error rate of the shop at a moment: customers come evenly, and
// more and more of them try the coupons once there are some.
func rateAt(releases []release, at time.Time) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strconv.FormatInt(at.Unix(), 10)))
	wobble := float64(h.Sum32()%1000) / 1000
	rate := usual * (0.5 + wobble)
	var now *release
	for i := range releases {
		if !releases[i].since.After(at) {
			now = &releases[i]
		}
	}
	switch {
	case now == nil:
	case now.broken:
		rate = 0.9 + 0.08*wobble
	case now.coupons > 0:
		use := float64(at.Sub(now.since)-heard) / float64(everyone-heard)
		use = min(max(use, 0), 1)
		rate += keen * use * now.coupons * (0.9 + 0.2*wobble)
	}
	return rate
}

// rates are those of the last window, one a second, oldest first.
func rates(releases []release, now time.Time) []Rate {
	var all []Rate
	for at := now.Add(-window).Truncate(time.Second); !at.After(now); at = at.Add(time.Second) {
		all = append(all, Rate{At: at.UnixMilli(), Rate: rateAt(releases, at)})
	}
	return all
}
