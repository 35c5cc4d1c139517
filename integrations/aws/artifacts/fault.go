package artifacts

import (
	"context"
	"errors"
	"io/fs"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/rollcall-bot/rollcall/integrations/aws/accounts"
)

// callError is a call that failed, in words that name the object.
type callError struct {
	at, why string
	cause   error
	passes  bool // AWS could not be asked; otherwise it has answered
}

// Error is a sentence that begins with the object.
func (e *callError) Error() string { return e.at + ": " + e.why }

// Unwrap is what AWS answered.
func (e *callError) Unwrap() error { return e.cause }

// Passes says whether asking again may help.
func (e *callError) Passes() bool { return e.passes }

// absent is a MissingError that also says why.
type absent struct {
	*MissingError
	cause error
}

// Unwrap is both.
func (e *absent) Unwrap() []error { return []error{e.MissingError, e.cause} }

// Passes says that asking again does not help.
func (e *absent) Passes() bool { return false }

// missing says of an artifact that is read what a call's error means for it.
func missing(artifact string, err error) error {
	var call *callError
	if errors.As(err, &call) && !call.passes {
		return &absent{&MissingError{artifact, call.at, call.why}, err}
	}
	return err
}

// damaged says that an artifact is there and not what it should be.
func damaged(artifact, at, why string) error {
	return &absent{&MissingError{artifact, at, why}, errDamaged}
}

var errDamaged = errors.New("it is not what it was when it was stored")

// failure puts an error of S3 into words.
func failure(at string, err error) error {
	_, said := accounts.Words(err)
	status, region := answer(err)
	switch class := accounts.Classify(err); {
	case class == accounts.Throttled || class == accounts.Credentials || class == accounts.NotSent || class == accounts.Unknown:
		return &callError{at, said, err, true}
	case code(err) == "ConditionalRequestConflict":
		return &callError{at, "somebody else writes it at the same time", err, true}
	case code(err) == "NoSuchBucket":
		return &callError{at, "there is no such bucket", err, false}
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed: // the latter: the version is that of a deletion
		return &callError{at, "there is nothing; a lifecycle rule of the bucket may have removed it", errors.Join(fs.ErrNotExist, err), false}
	case status == http.StatusMovedPermanently || code(err) == "AuthorizationHeaderMalformed" || region != "" && status == http.StatusBadRequest:
		where := " (it is in " + region + ")"
		if region == "" {
			where = ""
		}
		return &callError{at, "the bucket is not in the Region where it was looked for" + where + "; set aws.region, or aws.artifacts.regions", err, false}
	case status == http.StatusForbidden:
		return &callError{at, "AWS refuses: the bucket belongs to another account, or the role may not use the object, its key or the bucket (" + said + ")", err, false}
	}
	return &callError{at, said, err, false}
}

// WhyDenied is what S3 says of a HEAD that it refused. The answer to a HEAD has no body,
// so the object's first byte is asked for: that answer says who lacks what. Any other
// error comes back as it is.
func WhyDenied(ctx context.Context, client *s3.Client, in *s3.HeadObjectInput, err error) error {
	if err == nil {
		return nil
	}
	if status, _ := answer(err); status != http.StatusForbidden {
		return err
	}
	out, said := client.GetObject(ctx, &s3.GetObjectInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId, ExpectedBucketOwner: in.ExpectedBucketOwner, Range: aws.String("bytes=0-0")})
	if said == nil {
		_ = out.Body.Close()
		return err
	}
	if status, _ := answer(said); status != http.StatusForbidden {
		return err
	}
	return said
}

// answer is the status of an answer of S3, and the Region that it says the bucket is in.
func answer(err error) (status int, region string) {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		return resp.HTTPStatusCode(), resp.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return 0, ""
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
