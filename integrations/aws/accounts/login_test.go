package accounts_test

import (
	"crypto/sha1" //nolint:gosec // names a file as the AWS CLI does
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
)

// identities answers who asks, what roles and SSO yield, and refuses on request.
type identities struct {
	refuse atomic.Value // a code of GetCallerIdentity's
}

func (i *identities) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	until := time.Now().Add(time.Hour)
	if strings.HasPrefix(r.URL.Path, "/federation/credentials") {
		fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`, until.UnixMilli())
		return
	}
	_ = r.ParseForm()
	switch action := r.PostForm.Get("Action"); action {
	case "GetCallerIdentity":
		if code, _ := i.refuse.Load().(string); code != "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, code)
			return
		}
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	default:
		fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[2]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action, until.UTC().Format(time.RFC3339))
	}
}

// machine is one whose only credentials are those that a case gives it.
func machine(t *testing.T) {
	alone(t)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		os.Unsetenv(name)
	}
}

// keys puts credentials into the environment; ends as AWS writes it, or empty.
func keys(t *testing.T, session, ends string) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "base-secret")
	t.Setenv("AWS_SESSION_TOKEN", session)
	t.Setenv("AWS_CREDENTIAL_EXPIRATION", ends)
}

// profile is the shared configuration.
func profile(t *testing.T, text string) {
	file := filepath.Join(os.Getenv("HOME"), "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
}

// login is what "aws sso login" leaves behind.
func login(t *testing.T, key string, ends time.Time, refresh string) {
	sum := sha1.Sum([]byte(key)) //nolint:gosec // see above
	dir := filepath.Join(os.Getenv("HOME"), ".aws", "sso", "cache")
	raw, _ := json.Marshal(map[string]string{"accessToken": "sso-secret", "expiresAt": ends.UTC().Format(time.RFC3339), "refreshToken": refresh})
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, hex.EncodeToString(sum[:])+".json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

const legacySSO = "[default]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 111122223333\nsso_role_name = ops\n"
const sessionSSO = "[default]\nsso_session = acme\nsso_account_id = 111122223333\nsso_role_name = ops\n[sso-session acme]\nsso_region = eu-west-1\nsso_start_url = https://acme.awsapps.com/start\n"

// Of credentials that somebody must renew the end is known; of those that renew
// themselves, or do not end, there is none; what AWS says is over is.
func TestWhenBaseCredentialsEnd(t *testing.T) {
	soon, past := time.Now().Add(50*time.Hour).UTC().Truncate(time.Second), time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	text := func(at time.Time) string { return at.Format("2006-01-02T15:04:05-07:00") }
	process := func(ends string) string {
		return fmt.Sprintf("[default]\ncredential_process = printf '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"SessionToken\":\"T\"%s}'\n", ends)
	}
	for _, c := range []struct {
		name, refuse string
		set          func(t *testing.T)
		ends         time.Time
		from, over   string
	}{
		{"keys without an end", "", func(t *testing.T) { keys(t, "", "") }, time.Time{}, "", ""},
		{"a session of the environment", "", func(t *testing.T) { keys(t, "session-secret", text(soon)) }, soon, "the environment", ""},
		{"one of which nobody says when it ends", "", func(t *testing.T) { keys(t, "session-secret", "") }, time.Time{}, "", ""},
		{"one that is over", "ExpiredToken", func(t *testing.T) { keys(t, "session-secret", text(past)) }, past, "the environment", "ExpiredToken"},
		{"keys that were withdrawn", "InvalidClientTokenId", func(t *testing.T) { keys(t, "", "") }, time.Time{}, "", "InvalidClientTokenId"},
		{"an old SSO login", "", func(t *testing.T) { profile(t, legacySSO); login(t, "https://acme.awsapps.com/start", soon, "") }, soon, "an SSO login", ""},
		{"an old SSO login that is over", "", func(t *testing.T) { profile(t, legacySSO); login(t, "https://acme.awsapps.com/start", past, "") }, past, "an SSO login", "the SSO session is over"},
		{"no SSO login", "", func(t *testing.T) { profile(t, legacySSO) }, time.Time{}, "an SSO login", "the SSO session is over"},
		{"an SSO session", "", func(t *testing.T) { profile(t, sessionSSO); login(t, "acme", soon, "") }, soon, "an SSO login", ""},
		{"an SSO session that renews itself", "", func(t *testing.T) { profile(t, sessionSSO); login(t, "acme", soon, "refresh-secret") }, time.Time{}, "", ""},
		{"an SSO session that nobody can renew", "", func(t *testing.T) { profile(t, sessionSSO); login(t, "acme", past, "") }, past, "an SSO login", "the SSO session is over"},
		{"a role over SSO", "", func(t *testing.T) {
			profile(t, "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = sso\n"+strings.Replace(legacySSO, "[default]", "[profile sso]", 1))
			login(t, "https://acme.awsapps.com/start", soon, "")
		}, soon, "an SSO login", ""},
		{"a process that renews", "", func(t *testing.T) {
			profile(t, process(fmt.Sprintf(`,"Expiration":"%s"`, soon.Format(time.RFC3339))))
		}, time.Time{}, "", ""},
		{"a process without an end", "", func(t *testing.T) { profile(t, process("")) }, time.Time{}, "", ""},
		{"a process that answers what is over", "ExpiredToken", func(t *testing.T) {
			profile(t, process(fmt.Sprintf(`,"Expiration":"%s"`, past.Format(time.RFC3339))))
		}, past, "credential_process", "ExpiredToken"},
		{"a web identity", "", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte("web-secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/r")
			t.Setenv("AWS_CREDENTIAL_EXPIRATION", text(soon))
		}, time.Time{}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			machine(t)
			c.set(t)
			cloud := &identities{}
			cloud.refuse.Store(c.refuse)
			server := httptest.NewServer(cloud)
			t.Cleanup(server.Close)
			got, err := accounts.Open(accounts.Options{Region: "eu-west-1", EndpointURL: server.URL}).Login(t.Context())
			if want := (accounts.Login{Ends: c.ends, From: c.from, Refused: c.over}); err != nil || !got.Ends.Equal(want.Ends) || got.From != want.From || got.Refused != want.Refused {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			if strings.Contains(fmt.Sprintf("%+v", got), "secret") {
				t.Errorf("a secret is shown: %+v", got)
			}
		})
	}
}

// What is neither an end nor a withdrawal is no news of the credentials.
func TestWhatSaysNothingOfCredentials(t *testing.T) {
	for _, code := range []string{"SignatureDoesNotMatch", "RequestExpired", "AccessDenied", "InternalFailure"} {
		machine(t)
		keys(t, "", "")
		cloud := &identities{}
		cloud.refuse.Store(code)
		server := httptest.NewServer(cloud)
		got, err := accounts.Open(accounts.Options{Region: "eu-west-1", EndpointURL: server.URL}).Login(t.Context())
		server.Close()
		if err == nil || got != (accounts.Login{}) {
			t.Errorf("%s: %+v, %v", code, got, err)
		}
	}
}
