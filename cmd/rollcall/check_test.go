package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/s3"
	"github.com/rollcall-bot/rollcall/store"
)

// A check names what the bucket has and no execution refers to; that is no fault, and
// neither is a bucket that cannot be asked.
func TestCheckOfABucket(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIACHECK")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test")
	orphan := "rollcall/gone/app/" + strings.Repeat("0", 64) + ".zip"
	fake := awsfake.New(awsfake.Options{}) // of a clock that stood still months ago
	bucket := awsfake.At[*s3.Service](fake, awsAccount, awsRegion)
	bucket.Create(s3.Bucket{Name: "acme-artifacts", Owner: awsAccount, Region: awsRegion})
	bucket.Put("acme-artifacts", orphan, []byte("zip"))
	dir := t.TempDir()
	db, err := store.Open(filepath.Join(dir, "rollcall.db"), store.Options{})
	if err == nil {
		err = db.Close()
	}
	file := filepath.Join(dir, "rollcall.yaml")
	if err == nil {
		err = os.WriteFile(file, fmt.Appendf(nil, "dataDir: .\nadmins: [ana@acme.example]\naws: {region: %s, endpointURL: %q, artifacts: {bucket: acme-artifacts, prefix: rollcall, account: %q}}\n", awsRegion, serve(t, fake), awsAccount), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	check := func(wantOut, wantErr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run([]string{"check", "--config", file}, &out, &errs); code != 0 || !strings.Contains(out.String(), wantOut) || !strings.Contains(errs.String(), wantErr) {
			t.Errorf("status %d\n%s%s", code, &out, &errs)
		}
	}
	check("artifact s3://acme-artifacts/"+orphan+" is of no execution", "retention.artifacts removes it")
	if err := fake.Policies("arn:aws:iam::"+awsAccount+":user/rollcall", `{"Statement": []}`); err != nil {
		t.Fatal(err)
	}
	check("ok ", "the artifacts in s3://acme-artifacts were not looked at: s3://acme-artifacts: AWS refuses")
}
