package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// Where credentials of which somebody else must make new ones come from, for people to read.
const (
	fromEnvironment = "the environment"
	fromSSO         = "an SSO login"
	fromProcess     = "credential_process"
)

// Login is how long the base credentials last.
type Login struct {
	// Ends is when they end and the SDK cannot renew them by itself. The zero time:
	// it renews them, they do not end, or nobody says when.
	Ends    time.Time
	From    string // where they come from, where Ends is known: "the environment"
	Refused string // AWS's code where it says that they are over, or knows them no more; empty: it takes them
}

// Login asks AWS whether it takes the base credentials, with a call that needs no
// permission, and says when they end. An error means that nobody knows now.
func (a *Accounts) Login(ctx context.Context) (Login, error) {
	config, err := a.own(ctx)
	if err != nil {
		return Login{}, err
	}
	for again := false; ; again = true {
		login, err := a.login(ctx, config)
		if login.Refused == "" || again {
			return login, err
		}
		// What renews itself was asked for anew after the refusal.
	}
}

// own is the configuration of the base credentials, before any role.
func (a *Accounts) own(ctx context.Context) (aws.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	base, err := a.loadBase(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	if base.Region == "" {
		return aws.Config{}, errors.New("no AWS Region is known: set aws.region in the configuration, or AWS_REGION")
	}
	return a.assume(*base, nil, base.Region, "", "", false), nil
}

func (a *Accounts) login(ctx context.Context, config aws.Config) (Login, error) {
	got, err := config.Credentials.Retrieve(ctx)
	if err != nil {
		return gone(err, config.ConfigSources)
	}
	login := endOf(got, config.ConfigSources)
	if _, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
		var api smithy.APIError
		if !errors.As(err, &api) || !over(api.ErrorCode()) {
			return Login{}, err
		}
		login.Refused = Code(api.ErrorCode())
	}
	return login, nil
}

// over says whether a code means that credentials have ended or were withdrawn. A
// wrong signature does not: it may be the clock.
func over(code string) bool {
	switch Code(code) {
	case "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient":
		return true
	}
	return false
}

// gone is what it means that no credentials came: an SSO login that is over, or nobody knows.
func gone(err error, sources []any) (Login, error) {
	var invalid *ssocreds.InvalidTokenError
	login := Login{Ends: ssoEnds(sources), From: fromSSO}
	var api smithy.APIError
	refused := errors.As(err, &api) && Code(api.ErrorCode()) == "Unauthorized"
	if refused || errors.As(err, &invalid) || !login.Ends.IsZero() && !login.Ends.After(time.Now()) || strings.Contains(err.Error(), "refresh cached SSO token failed") {
		login.Refused = "the SSO session is over"
		return login, nil
	}
	return Login{}, err
}

// endOf says when credentials end that the SDK cannot renew. Those of roles, of
// instances and containers and of web identities come anew by themselves, and so do
// a process's, unless what it answered is over already.
func endOf(got aws.Credentials, sources []any) Login {
	switch {
	case got.Source == ssocreds.ProviderName || strings.HasPrefix(got.Source, "AssumeRole"):
		if ends := ssoEnds(sources); !ends.IsZero() {
			return Login{Ends: ends, From: fromSSO}
		}
	case got.Source == processcreds.ProviderName:
		if got.CanExpire && !got.Expires.After(time.Now()) {
			return Login{Ends: got.Expires, From: fromProcess}
		}
	case got.Source == awsconfig.CredentialsSourceName && got.SessionToken != "":
		if ends, err := time.Parse(time.RFC3339, os.Getenv("AWS_CREDENTIAL_EXPIRATION")); err == nil {
			return Login{Ends: ends, From: fromEnvironment}
		}
	}
	return Login{}
}

// ssoEnds is when the login ends that the profile's SSO rests on; the zero time:
// there is none, or the SDK renews it. It reads the file that "aws sso login" writes.
func ssoEnds(sources []any) time.Time {
	key := ""
	for _, s := range sources {
		if profile, ok := s.(awsconfig.SharedConfig); ok {
			key = ssoKey(&profile)
		}
	}
	if key == "" {
		return time.Time{}
	}
	path, err := ssocreds.StandardCachedTokenFilepath(key)
	if err != nil {
		return time.Time{}
	}
	var token struct {
		ExpiresAt    time.Time `json:"expiresAt"`
		RefreshToken string    `json:"refreshToken"`
	}
	raw, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(raw, &token) != nil || token.RefreshToken != "" {
		return time.Time{}
	}
	return token.ExpiresAt
}

// ssoKey names the SSO of a profile, or of the one that it takes its credentials from.
func ssoKey(p *awsconfig.SharedConfig) string {
	for ; p != nil; p = p.Source {
		switch {
		case p.Source != nil:
		case p.SSOSessionName != "":
			return p.SSOSessionName
		default:
			return p.SSOStartURL
		}
	}
	return ""
}
