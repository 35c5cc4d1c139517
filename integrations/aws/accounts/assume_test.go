package accounts

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

// slowSTS answers after a second with credentials that last for so long.
type slowSTS struct {
	lasts time.Duration
	mu    sync.Mutex
	calls int
}

func (s *slowSTS) AssumeRole(context.Context, *sts.AssumeRoleInput, ...func(*sts.Options)) (*sts.AssumeRoleOutput, error) {
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	id := fmt.Sprint("ASIA", s.calls)
	return &sts.AssumeRoleOutput{Credentials: &types.Credentials{AccessKeyId: &id, SecretAccessKey: &id, SessionToken: &id, Expiration: aws.Time(time.Now().Add(s.lasts))}}, nil
}

// Credentials are renewed five minutes early, once for everybody who waits.
func TestCredentialsAreRenewedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowSTS{lasts: 16 * time.Minute}
		cache := aws.NewCredentialsCache(&assumed{client: s, arn: "arn:aws:iam::111122223333:role/r", session: "rc-test"})
		all := func() {
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() {
					if _, err := cache.Retrieve(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		for _, step := range []struct {
			after time.Duration
			calls int
		}{{0, 1}, {10 * time.Minute, 1}, {2 * time.Minute, 2}, {10 * time.Minute, 2}} {
			time.Sleep(step.after)
			all()
			if s.calls != step.calls {
				t.Errorf("%v later the role was assumed %d times, want %d", step.after, s.calls, step.calls)
			}
		}
	})
}

// answers is a transport whose answers have a status.
type answers struct {
	status int
	at     []time.Time
}

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.at = append(a.at, time.Now())
	return &http.Response{StatusCode: a.status, Body: http.NoBody}, nil
}

// No second holds more than two calls; throttling halves the pace, once for a
// storm, and success brings it back.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &answers{status: 200}
		p := newPace(2)
		calls := func(n int) time.Duration {
			from := time.Now()
			for range n {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://aws.example/", nil)
				if _, err := (pacedTransport{base, p}).RoundTrip(r); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(from)
		}
		calls(10)
		for i := 2; i < len(base.at); i++ {
			if d := base.at[i].Sub(base.at[i-2]); d < 999*time.Millisecond {
				t.Errorf("three calls within %v", d)
			}
		}
		base.status = 400
		for range 20 {
			p.throttled()
		}
		if took := calls(4); took < 3900*time.Millisecond || took > 4100*time.Millisecond {
			t.Errorf("four calls took %v at half the pace, want 4 s", took)
		}
		base.status = 200
		calls(10)
		if took := calls(4); took > 2100*time.Millisecond {
			t.Errorf("four calls took %v after ten that passed, want 2 s", took)
		}
	})
}

func TestNamesAreLegal(t *testing.T) {
	legal := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	long := strings.Repeat("a.very.long.name.", 5)
	names := []string{"ana@acme.example", "é", "", "Åsa Öström", long + "1@acme.example", long + "2@acme.example", "a b", "a-b"}
	seen := map[string]string{}
	for _, name := range names {
		got := SourceIdentity(name)
		if name == "" {
			if got != "" {
				t.Errorf("nobody is called %q", got)
			}
			continue
		}
		if !legal.MatchString(got) {
			t.Errorf("%q becomes %q", name, got)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q become the same %q", name, other, got)
		}
		seen[got] = name
		if session := SessionName(name); !legal.MatchString(session) || !strings.HasPrefix(session, "rc-") {
			t.Errorf("a session for %q is named %q", name, session)
		}
	}
}

func TestClassify(t *testing.T) {
	for code, want := range map[string]Class{
		"ThrottlingException": Throttled, "TooManyRequestsException": Throttled, "AccessDeniedException": Denied, "ExpiredTokenException": Credentials,
		"InvalidClientTokenId": Credentials, "PipelineNotFoundException": Refused, "LimitExceededException": Refused, "UnableToRollbackStageException": Refused,
		"ConcurrentPipelineExecutionsLimitExceededException": Refused,
	} {
		if got := classify(code, 400); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
	if got := classify("InternalFailure", 500); got != Unknown {
		t.Errorf("a fault of AWS's is %s", got)
	}
	role := &AssumeError{Role: "arn:r", Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "not allowed"}}
	if got := Classify(fmt.Errorf("sign: %w", role)); got != Credentials {
		t.Errorf("a role that cannot be assumed is %s", got)
	}
	if _, message := Words(role); message != "the role arn:r cannot be assumed: not allowed" {
		t.Errorf("words: %q", message)
	}
}
