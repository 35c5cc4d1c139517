package accounts

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// longestPause lies between two tries of one call; who waits longer asks again later.
const longestPause = 5 * time.Second

// retryer is the SDK's standard one, which also tells the pace of throttling, and
// has credentials renewed that AWS knows no longer. The SDK's adaptive one would
// slow calls down a second time, each client by itself: the pace is all clients'.
type retryer struct {
	aws.RetryerV2
	pace        *pace // nil: nobody's
	credentials aws.CredentialsProvider
}

func newRetryer(p *pace, c aws.CredentialsProvider) aws.Retryer {
	return &retryer{retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = longestPause }), p, c}
}

// IsErrorRetryable hears of every failed try.
func (r *retryer) IsErrorRetryable(err error) bool {
	switch Classify(err) {
	case Throttled:
		r.pace.throttled()
	case Credentials:
		if c, ok := r.credentials.(*aws.CredentialsCache); ok {
			c.Invalidate()
		}
	}
	return r.RetryerV2.IsErrorRetryable(err)
}
