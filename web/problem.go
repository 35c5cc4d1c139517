package web

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
)

// maxBody bounds what a request may send, in bytes.
const maxBody = 1 << 20

var unauthorized = workflows.Problem{Code: "Unauthorized", Message: "missing or unknown API token or session",
	Hint: "send a token of the configuration's api.tokens as `Authorization: Bearer TOKEN`, or sign in with rollcall login"}

// problemBody is application/problem+json (RFC 9457) with our code, hint and ID.
type problemBody struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Hint   string `json:"hint,omitempty"`
	Field  string `json:"field,omitempty"`
	ID     string `json:"id"`
	// Diagnostics are all faults of a declaration.
	Diagnostics []Diagnostic `json:"diagnostics,omitempty"`
}

// status is the one map from the engine's codes to HTTP: 400 bad request, 401
// who are you, 403 rights, 404 unknown name, 409 the state, 413 too large, 503 try again.
func status(code string) int {
	switch code {
	case workflows.CodeValidation:
		return http.StatusBadRequest
	case unauthorized.Code:
		return http.StatusUnauthorized
	case workflows.CodeAccessDenied, workflows.CodeSelfApproval, workflows.CodeNotAnApprover:
		return http.StatusForbidden
	case workflows.CodePipelineNotFound, workflows.CodeVersionNotFound, workflows.CodeStageNotFound, workflows.CodeActionNotFound,
		workflows.CodeExecutionNotFound, workflows.CodeLogNotFound, workflows.CodeInvalidApprovalToken, codeNotFound:
		return http.StatusNotFound
	case codeTimeout:
		return http.StatusRequestTimeout
	case codeTooMany:
		return http.StatusTooManyRequests
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case workflows.CodeCommitUnknown, workflows.CodeUnavailable, workflows.CodeAWSUnavailable:
		return http.StatusServiceUnavailable
	case codeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}

const (
	codeNotFound = "NotFound"
	codeTooLarge = "TooLarge"
	codeTooMany  = "TooManyRequests"
	codeTimeout  = "RequestTimeout"
	codeInternal = "Internal"
)

// fail answers with a problem. What is not a Problem is nobody's business
// outside: it is logged under an ID, and only the ID is told.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *workflows.Problem
	if !errors.As(err, &p) {
		if r.Context().Err() != nil {
			return
		}
		p = &workflows.Problem{Code: codeInternal, Message: "something went wrong inside rollcall", Hint: "its log says more under this id"}
	}
	body := problemBody{Status: status(p.Code), Detail: p.Message, Code: p.Code, Hint: p.Hint, Field: p.Field, ID: p.ID}
	var f *faulty
	if errors.As(err, &f) {
		body.Diagnostics = f.diagnostics
	}
	body.Title = http.StatusText(body.Status)
	if body.ID == "" {
		body.ID = strings.ToLower(rand.Text()[:10])
	}
	if body.Status >= 500 {
		a.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "id", body.ID, "err", err)
	}
	switch {
	case p.Code == workflows.CodeAWSUnavailable:
		w.Header().Set("Retry-After", "10") // it is looked at again about then
	case body.Status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
	case body.Status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, body.Status, "application/problem+json", body)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client has gone away; there is nobody to tell
}

// body is the request's, as far as it may go. One that is announced to be larger
// is not read at all, so that who waits to be asked for it hears why it is not.
func body(w http.ResponseWriter, r *http.Request) io.Reader {
	if r.ContentLength > maxBody {
		return tooMuch{}
	}
	return http.MaxBytesReader(w, r.Body, maxBody)
}

type tooMuch struct{}

func (tooMuch) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: maxBody} }

// read decodes a JSON body into v. No body counts as {}. Unknown fields,
// trailing text and wrong types are refused by name.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(body(w, r))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more than one JSON value")
			if tooLarge(more) {
				err = more
			}
		}
	}
	return bodyProblem(err)
}

func tooLarge(err error) bool {
	var large *http.MaxBytesError
	return errors.As(err, &large)
}

func bodyProblem(err error) error {
	var wrong *json.UnmarshalTypeError
	var turned interface{ HTTPStatus() int } // away, by whoever stands in front of the handlers
	switch {
	case err == nil:
		return nil
	case tooLarge(err):
		return &workflows.Problem{Code: codeTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", maxBody), Hint: "send less"}
	case errors.As(err, &turned) && turned.HTTPStatus() == http.StatusRequestTimeout:
		return &workflows.Problem{Code: codeTimeout, Message: err.Error(), Hint: "send it again"}
	case errors.As(err, &turned):
		return &workflows.Problem{Code: workflows.CodeUnavailable, Message: err.Error(), Hint: "try again in a few seconds"}
	case errors.As(err, &wrong):
		return invalid(wrong.Field, fmt.Sprintf("%s must be a %s, not a %s", wrong.Field, wrong.Type, wrong.Value), "check the type of the value")
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name := strings.Trim(field, `"`)
		return invalid(name, "there is no field "+name, "check its spelling")
	}
	return invalid("", "the body is not JSON: "+strings.TrimPrefix(err.Error(), "json: "), "send one JSON object")
}

func invalid(field, message, hint string) *workflows.Problem {
	return &workflows.Problem{Code: workflows.CodeValidation, Message: message, Hint: hint, Field: field}
}
