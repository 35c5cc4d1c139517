// Package accounts says who rollcall is in AWS, and where: it makes one
// aws.Config per chain of roles, external ID, person and Region.
//
// The base credentials are what the SDK's usual chain finds. From there the
// roles of a [Place] are assumed one after the other, each with its external ID.
// What an assumed role yields is kept in memory only, and renewed five minutes
// before it expires, once for everybody who waits for it. Nothing here needs AWS
// to be there when the service starts.
//
// Every try of every call waits its turn at the pace of its account and Region.
package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/rollcall-bot/rollcall/integrations/aws/roles"
)

const (
	callsPerSecond = 2                // of one account and Region
	answerWithin   = time.Minute      // one try, with its turn; a long poll of a queue takes 20 s
	objectWithin   = 15 * time.Minute // one try of one object, with its bytes
	objectCalls    = 25               // times more than other calls: S3 allows thousands a second
	mostConfigs    = 512              // kept; people come and go
)

// Options say where AWS is and whose credentials lead there. The zero value is
// whatever the environment says.
type Options struct {
	Region      string          // where a Place names none
	RoleARN     string          // base role: assumed before any other
	EndpointURL string          // of every service; empty: AWS's own, or AWS_ENDPOINT_URL
	Roles       map[string]Role // by ARN, or by a pattern of package roles
	Calls       float64         // per second, of one account and Region; 0: 2
	// Transport is put around the one that calls go through, to count them.
	Transport func(base http.RoundTripper) http.RoundTripper
	Log       *slog.Logger
}

// Role is what its trust policy wants of those who assume it.
type Role struct {
	ExternalID     string
	SourceIdentity bool // say for whom; the policy must allow sts:SetSourceIdentity
}

// Place is where calls go, and as whom.
type Place struct {
	Roles   []string // assumed after the base role, in this order; empty ones are passed over
	Region  string
	Session string // names the session in CloudTrail; [SessionName] makes it legal
	Person  string // for whom, where a role wants it said; empty: for the service
	// Objects says that whole objects come and go: S3's, of any length, many a second.
	Objects bool
}

// Accounts makes configurations. It is safe for concurrent use.
type Accounts struct {
	o Options

	mu      sync.Mutex
	base    *aws.Config
	configs map[key]aws.Config
	paces   map[string]*pace
}

type key struct {
	chain, person, region string
	objects               bool
}

// Open returns accounts that have asked nobody yet.
func Open(o Options) *Accounts {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Calls == 0 {
		o.Calls = callsPerSecond
	}
	return &Accounts{o: o, configs: map[key]aws.Config{}, paces: map[string]*pace{}}
}

// Config returns the configuration of a place. It reads the environment and the
// SDK's files, and asks nobody.
func (a *Accounts) Config(ctx context.Context, p Place) (aws.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	base, err := a.loadBase(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	region := cmp.Or(p.Region, base.Region)
	if region == "" {
		return aws.Config{}, errors.New("no AWS Region is known: set aws.region in the configuration, or AWS_REGION")
	}
	chain := slices.DeleteFunc(slices.Concat([]string{a.o.RoleARN}, p.Roles), func(arn string) bool { return arn == "" })
	person := p.Person
	if !slices.ContainsFunc(chain, func(arn string) bool { return a.role(arn).SourceIdentity }) {
		person = ""
	}
	k := key{strings.Join(chain, " "), person, region, p.Objects}
	if c, ok := a.configs[k]; ok {
		return c, nil
	}
	c := a.assume(*base, chain, region, person, p.Session, p.Objects)
	if len(a.configs) >= mostConfigs {
		clear(a.configs)
	}
	a.configs[k] = c
	return c, nil
}

// role is what the trust policy of a role wants.
func (a *Accounts) role(arn string) Role {
	r, _ := roles.Of(a.o.Roles, arn)
	return r
}

// assume walks the chain of roles and returns the configuration at its end.
func (a *Accounts) assume(c aws.Config, chain []string, region, person, session string, objects bool) aws.Config {
	c = c.Copy()
	c.Region = region
	base := c.HTTPClient
	c.HTTPClient = a.client(base, nil)
	account := ""
	for _, arn := range chain {
		role := a.role(arn)
		from := c.Copy()
		from.Retryer = func() aws.Retryer { return newRetryer(nil, from.Credentials) }
		provider := &assumed{client: sts.NewFromConfig(from), arn: arn, session: SessionName(session), externalID: role.ExternalID}
		if role.SourceIdentity {
			provider.identity = SourceIdentity(person)
		}
		c.Credentials = aws.NewCredentialsCache(provider)
		account = AccountOf(arn)
	}
	p := a.pace(account+"/"+region, objects)
	if objects {
		c.HTTPClient = a.carrier(base, p)
	} else {
		c.HTTPClient = a.client(c.HTTPClient, p)
	}
	retryer := newRetryer(p, c.Credentials)
	c.Retryer = func() aws.Retryer { return retryer }
	return c
}

// client is what a configuration calls with; a nil pace waits for nothing.
func (a *Accounts) client(c aws.HTTPClient, p *pace) aws.HTTPClient {
	if own, ok := c.(*http.Client); ok {
		if p == nil {
			return own
		}
		paced := *own
		paced.Transport = pacedTransport{own.Transport, p}
		return &paced
	}
	var base http.RoundTripper = boundedTransport{a.transport(c)}
	if p != nil {
		base = pacedTransport{base, p}
	}
	return &http.Client{Transport: base, Timeout: answerWithin, CheckRedirect: notFollowed}
}

// carrier is what whole objects go through: their readers bound them.
func (a *Accounts) carrier(c aws.HTTPClient, p *pace) aws.HTTPClient {
	return &http.Client{Transport: pacedTransport{a.transport(c), p}, Timeout: objectWithin, CheckRedirect: notFollowed}
}

func (a *Accounts) transport(c aws.HTTPClient) http.RoundTripper {
	base := http.DefaultTransport
	if b, ok := c.(*awshttp.BuildableClient); ok {
		base = b.GetTransport()
	}
	if a.o.Transport != nil {
		base = a.o.Transport(base)
	}
	return base
}

func notFollowed(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// loadBase reads the environment and the SDK's files. a.mu is held. What fails is tried again.
func (a *Accounts) loadBase(ctx context.Context) (*aws.Config, error) {
	if a.base != nil {
		return a.base, nil
	}
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient()),
		awsconfig.WithLogger(logging.Nop{}), // what the SDK logs may hold requests
		awsconfig.WithAppID("rollcall"),
	}
	if a.o.Region != "" {
		options = append(options, awsconfig.WithRegion(a.o.Region))
	}
	if a.o.EndpointURL != "" {
		options = append(options, awsconfig.WithBaseEndpoint(a.o.EndpointURL))
	}
	c, err := awsconfig.LoadDefaultConfig(context.WithoutCancel(ctx), options...)
	if err != nil {
		return nil, fmt.Errorf("AWS's settings cannot be read: %w", err)
	}
	a.base = &c
	return a.base, nil
}

func (a *Accounts) pace(place string, objects bool) *pace {
	calls := a.o.Calls
	if objects {
		place, calls = place+"/objects", calls*objectCalls
	}
	p := a.paces[place]
	if p == nil {
		p = newPace(calls)
		a.paces[place] = p
	}
	return p
}

// AccountOf is the account of an ARN.
func AccountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}
