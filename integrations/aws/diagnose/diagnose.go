// Package diagnose turns what AWS says when something fails into a finding: what
// kind of fault it is, who lacks what, what to do, and whether trying again helps.
// Pure: it takes plain values and knows no SDK.
package diagnose

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/integrations/aws/policy"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// Failure is what a call to AWS ended with.
type Failure struct {
	Service, Operation string // as the SDK names them: CodePipeline, RollbackStage
	Code, Message      string // of the error that AWS sent, else of the SDK's
	Status             int    // HTTP; 0: there was no answer
	RequestID          string
	Caller             string // ARN of who called; empty: not known
	// Resource is the ARN of what the call was about, as narrow as the caller
	// knows it; of calls about a stage or an action theirs.
	Resource string
	Again    string // the command that tries again; empty: none is named
}

// The classes of findings.
const (
	accessDenied     = "AccessDenied"
	credentials      = "Credentials"
	trust            = "Trust"
	missingArtifact  = "MissingArtifact"
	kms              = "KMS"
	throttled        = "Throttled"
	quota            = "Quota"
	conflict         = "Conflict"
	notFound         = "NotFound"
	validation       = "Validation"
	buildSpec        = "BuildSpec"
	commandFailed    = "CommandFailed"
	healthCheck      = "HealthCheck"
	externalRollback = "ExternalRollback"
	timeout          = "Timeout"
	network          = "Network"
	serviceFault     = "ServiceFault"
)

// Whether trying again helps.
const (
	now      = "now"
	afterFix = "afterFix"
	never    = "never"
)

// longest is how many characters a text of a finding has at most.
const longest = 300

// Explain says what a failed call means.
func Explain(f Failure) workflows.Finding {
	code := Code(f.Code)
	found := explain(f, code)
	if f.Again != "" && found.Retry == afterFix {
		found.Fix = append(found.Fix, "then: "+f.Again)
	}
	if f.Again != "" && found.Retry == now {
		found.Fix = append(found.Fix, f.Again)
	}
	return finish(f, found)
}

func explain(f Failure, code string) workflows.Finding {
	d, denied := Denied(f.Message)
	class := classOf(f, code)
	switch {
	case class == trust, denied && trusts(d.Action):
		return untrusted(f, d)
	case denied, class == accessDenied:
		return access(f, d)
	}
	found := generic(class)
	for _, k := range known() {
		if k.code == code {
			found.Class, found.Retry, found.Title, found.Fix = k.class, k.retry, k.title, []string{k.fix}
			break
		}
	}
	switch {
	case class == credentials && aboutTime(code, f.Message):
		found.Title, found.Fix = "the clock of this machine is wrong", []string{"set the clock (NTP); AWS takes requests that are at most 5 minutes off"}
	case class == credentials && noneFound(f.Message):
		found.Title, found.Fix = "there are no credentials for AWS", []string{"set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine or container a role"}
	}
	return found
}

// Code is AWS's code of an error as rollcall shows it: without the namespace
// before it and "Exception" behind it.
func Code(code string) string {
	if cut := strings.LastIndexByte(code, '#'); cut >= 0 {
		code = code[cut+1:]
	}
	code, _, _ = strings.Cut(code, ":")
	code = strings.TrimSuffix(clean.Line(code), "Exception")
	return text(code)
}

// evidence is one of Finding.Evidence.
type evidence = struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// source names the call: "CodePipeline RollbackStage, HTTP 400, request 1b2c".
func (f Failure) source() string {
	from := strings.TrimSpace(f.Service + " " + f.Operation)
	if f.Status != 0 {
		from += ", HTTP " + strconv.Itoa(f.Status)
	}
	if f.RequestID != "" {
		from += ", request " + f.RequestID
	}
	return cmp.Or(strings.TrimPrefix(from, ", "), "AWS")
}

// call names what was tried, in a sentence.
func (f Failure) call() string {
	return cmp.Or(strings.TrimSpace(f.Service+" "+f.Operation), "the call")
}

// text makes a text from outside fit for a finding: one line, no secret, short.
func text(s string) string {
	runes := []rune(mask(clean.Line(bounded(s))))
	if len(runes) > longest {
		runes = append(runes[:longest-1], '…')
	}
	return string(runes)
}

// bounded is the beginning of a text that may be a whole page; more is not read.
func bounded(s string) string { return s[:min(len(s), 4096)] }

// mask takes out what a signature error repeats of the request, and key IDs.
func mask(s string) string {
	for _, name := range []string{"x-amz-signature", "x-amz-security-token", "x-amz-credential"} {
		for from := 0; ; {
			before, after, ok := cutFold(s[from:], name)
			if !ok {
				break
			}
			value := strings.TrimLeft(after, "=: ")
			rest := ""
			if end := strings.IndexAny(value, "& '\""); end >= 0 {
				rest = value[end:]
			}
			s = s[:from] + before + name + "=****" + rest
			from += len(before) + len(name) + len("=****")
		}
	}
	var b strings.Builder
	for rest := s; s != ""; {
		run := strings.IndexFunc(s, func(r rune) bool { return !isToken(r) })
		if run < 0 {
			run = len(s)
		}
		word := s[:run]
		if run >= 100 && !inARN(rest[:len(rest)-len(s)]) { // keys of objects are long, too
			word = "****"
		}
		b.WriteString(maskKey(word))
		_, size := utf8.DecodeRuneInString(s[run:])
		b.WriteString(s[run : run+size])
		s = s[run+size:]
	}
	return b.String()
}

// inARN says whether what follows a text belongs to an ARN that the text ends with.
func inARN(before string) bool {
	return strings.HasPrefix(strings.TrimLeft(before[strings.LastIndexByte(before, ' ')+1:], `"'(`), "arn:")
}

// maskKey takes the ID of an access key out of a word.
func maskKey(word string) string {
	for _, kind := range []string{"AKIA", "ASIA"} {
		if before, after, ok := strings.Cut(word, kind); ok && len(after) >= 12 {
			word = before + kind + "****" + strings.TrimLeft(after, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
		}
	}
	return word
}

// isToken says whether a character may stand in base64.
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '='
}

// statement is one for a finding; nil when it would not be one.
func statement(s policy.Statement) json.RawMessage {
	data, err := json.Marshal(s)
	if err != nil || len(data) > 3*longestARN {
		return nil
	}
	return data
}
