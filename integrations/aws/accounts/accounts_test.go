package accounts_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
)

// cloud answers AssumeRole, and any operation of a JSON service with {}.
type cloud struct {
	mu      sync.Mutex
	assumes []url.Values
	calls   []string // X-Amz-Target, with who signed
	lasts   time.Duration
	refuse  string // a code, for every call that is not AssumeRole
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		c.calls = append(c.calls, target+" by "+regexp.MustCompile(`Credential=([^/]*)`).FindString(r.Header.Get("Authorization")))
		if c.refuse != "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, c.refuse)
			return
		}
		fmt.Fprint(w, "{}")
		return
	}
	_ = r.ParseForm()
	c.assumes = append(c.assumes, r.PostForm)
	n := len(c.assumes)
	fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey><SessionToken>assumed-token</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		n, time.Now().Add(c.lasts).UTC().Format(time.RFC3339))
}

// open returns accounts over a cloud of this process, away from the environment's settings.
func open(t *testing.T, c *cloud, o accounts.Options) *accounts.Accounts {
	t.Helper()
	alone(t)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	o.EndpointURL = server.URL
	o.Calls = 1e6
	return accounts.Open(o)
}

// alone takes the settings of the machine away.
func alone(t *testing.T) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "base-secret")
}

const (
	baseRole   = "arn:aws:iam::111122223333:role/rollcall"
	bridgeRole = "arn:aws:iam::444455556666:role/rollcall-bridge"
)

// Roles are assumed one after the other, each with what its trust policy wants.
func TestRolesAreAssumedInTheirOrder(t *testing.T) {
	c := &cloud{lasts: time.Hour}
	a := open(t, c, accounts.Options{Region: "eu-west-1", RoleARN: baseRole, Roles: map[string]accounts.Role{bridgeRole: {ExternalID: "x-1", SourceIdentity: true}}})
	place := accounts.Place{Roles: []string{"", bridgeRole}, Session: "rc-prod eu", Person: "ana@acme.example"}
	call(t, a, place)
	call(t, a, place)
	if len(c.assumes) != 2 {
		t.Fatalf("%d roles were assumed, want 2", len(c.assumes))
	}
	first, second := c.assumes[0], c.assumes[1]
	if first.Get("RoleArn") != baseRole || first.Get("ExternalId") != "" || first.Get("SourceIdentity") != "" {
		t.Errorf("the base role: %v", first)
	}
	if second.Get("RoleArn") != bridgeRole || second.Get("ExternalId") != "x-1" || second.Get("SourceIdentity") != "ana@acme.example" {
		t.Errorf("the bridge's role: %v", second)
	}
	if name := second.Get("RoleSessionName"); !regexp.MustCompile(`^rc-[\w+=,.@-]{0,61}$`).MatchString(name) {
		t.Errorf("the session is named %q", name)
	}
	if want := "by Credential=ASIA2"; !strings.HasSuffix(c.calls[0], want) {
		t.Errorf("the call was made %s, want %s", c.calls[0], want)
	}
}

// What is said of a role of that name in every account holds for each of them; of one
// that has its own entry only that one does.
func TestRolesByAPattern(t *testing.T) {
	c := &cloud{lasts: time.Hour}
	a := open(t, c, accounts.Options{Region: "eu-west-1", Roles: map[string]accounts.Role{
		"arn:aws:iam::*:role/deploy": {ExternalID: "of all", SourceIdentity: true}, "arn:aws:iam::444455556666:role/deploy": {ExternalID: "of one"}}})
	for i, want := range []struct{ role, externalID, person string }{
		{"arn:aws:iam::111122223333:role/deploy", "of all", "ana@acme.example"},
		{"arn:aws:iam::777788889999:role/deploy", "of all", "ana@acme.example"},
		{"arn:aws:iam::444455556666:role/deploy", "of one", ""},
		{"arn:aws:iam::111122223333:role/build", "", ""},
	} {
		call(t, a, accounts.Place{Roles: []string{want.role}, Person: "ana@acme.example"})
		if got := c.assumes[i]; got.Get("RoleArn") != want.role || got.Get("ExternalId") != want.externalID || got.Get("SourceIdentity") != want.person {
			t.Errorf("assumed %v, want %+v", got, want)
		}
	}
}

// Nobody is named where no role wants it, so that people share a configuration.
func TestNobodyIsNamedUnasked(t *testing.T) {
	c := &cloud{lasts: time.Hour}
	a := open(t, c, accounts.Options{Region: "eu-west-1"})
	for _, person := range []string{"ana@acme.example", "ben@acme.example"} {
		call(t, a, accounts.Place{Roles: []string{bridgeRole}, Person: person})
	}
	if len(c.assumes) != 1 || c.assumes[0].Get("SourceIdentity") != "" {
		t.Errorf("assumed: %v", c.assumes)
	}
}

// Credentials that AWS knows no longer are renewed before they expire.
func TestRevokedCredentialsAreRenewed(t *testing.T) {
	c := &cloud{lasts: time.Hour, refuse: "ExpiredTokenException"}
	a := open(t, c, accounts.Options{Region: "eu-west-1"})
	place := accounts.Place{Roles: []string{bridgeRole}}
	if err := try(t, a, place); err == nil || accounts.Classify(err) != accounts.Credentials {
		t.Fatalf("got %v", err)
	}
	c.mu.Lock()
	c.refuse = ""
	c.mu.Unlock()
	call(t, a, place)
	if len(c.assumes) != 2 {
		t.Errorf("the role was assumed %d times, want 2", len(c.assumes))
	}
}

// Neither an error nor its words hold a secret.
func TestErrorsHoldNoSecret(t *testing.T) {
	c := &cloud{lasts: time.Hour, refuse: "AccessDeniedException"}
	a := open(t, c, accounts.Options{Region: "eu-west-1", Roles: map[string]accounts.Role{bridgeRole: {ExternalID: "external-secret"}}})
	err := try(t, a, accounts.Place{Roles: []string{bridgeRole}})
	if accounts.Classify(err) != accounts.Denied {
		t.Fatalf("%v is %s", err, accounts.Classify(err))
	}
	code, message := accounts.Words(err)
	if code != "AccessDenied" || message != "no" {
		t.Errorf("words: %q %q", code, message)
	}
	for _, secret := range []string{"assumed-secret", "assumed-token", "base-secret", "external-secret"} {
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
			t.Errorf("the error holds %s: %v", secret, err)
		}
	}
}

// AWS away is no reason not to start, and is said in a sentence.
func TestAWSAway(t *testing.T) {
	alone(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	a := accounts.Open(accounts.Options{Region: "eu-west-1", EndpointURL: gone.URL, Calls: 1e6})
	err := try(t, a, accounts.Place{Region: "eu-west-1"})
	if accounts.Classify(err) != accounts.NotSent {
		t.Fatalf("%v is %s", err, accounts.Classify(err))
	}
	if _, message := accounts.Words(err); !strings.HasPrefix(message, "AWS cannot be reached: ") {
		t.Errorf("words: %q", message)
	}
}

// What is no AWS, and answers all the same, is said to be none.
func TestNotAWS(t *testing.T) {
	alone(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>It works!</html>") }))
	defer other.Close()
	a := accounts.Open(accounts.Options{Region: "eu-west-1", EndpointURL: other.URL, Calls: 1e6})
	if _, message := accounts.Words(try(t, a, accounts.Place{Region: "eu-west-1"})); message != "what answers at AWS's address does not answer as AWS does" {
		t.Errorf("words: %q", message)
	}
}

// The endpoint of the configuration counts for every service, one of the
// environment for its own; https takes a CA of one's own.
func TestEndpoints(t *testing.T) {
	alone(t)
	var at sync.Map
	server := func(name string) *httptest.Server {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at.Store(r.Header.Get("X-Amz-Target"), name)
			fmt.Fprint(w, "{}")
		}))
		t.Cleanup(s.Close)
		return s
	}
	all, own := server("all"), server("own")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: all.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", ca)
	t.Setenv("AWS_ENDPOINT_URL", all.URL)
	t.Setenv("AWS_ENDPOINT_URL_SQS", own.URL)
	a := accounts.Open(accounts.Options{Region: "eu-west-1", Calls: 1e6})
	call(t, a, accounts.Place{})
	c, err := a.Config(t.Context(), accounts.Place{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqs.NewFromConfig(c).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(own.URL + "/1/q")}); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"CodePipeline_20150709.GetPipeline": "all", "AmazonSQS.ReceiveMessage": "own"} {
		if got, _ := at.Load(target); got != want {
			t.Errorf("%s went to %v, want %s", target, got, want)
		}
	}
}

func call(t *testing.T, a *accounts.Accounts, p accounts.Place) {
	t.Helper()
	if err := try(t, a, p); err != nil {
		t.Fatal(err)
	}
}

func try(t *testing.T, a *accounts.Accounts, p accounts.Place) error {
	t.Helper()
	c, err := a.Config(t.Context(), p)
	if err != nil {
		return err
	}
	_, err = codepipeline.NewFromConfig(c).GetPipeline(t.Context(), &codepipeline.GetPipelineInput{Name: aws.String("webshop")})
	return err
}
