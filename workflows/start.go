package workflows

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Refuse makes a refusal in words: a code, what to do now, and what happened to what.
func Refuse(code, hint, format string, args ...any) *Problem {
	return &Problem{Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)}
}

// In says which field of what was asked for is refused.
func (p *Problem) In(field string) *Problem {
	p.Field = field
	return p
}

// Longest is how many characters the words may have that go with an intent of
// this verb: a comment as many as with CodePipeline, a reason
// more. Forms let nobody write more.
func (v Verb) Longest() int {
	if v.Right() == Approve {
		return 512
	}
	return 3000
}

// longestValue is CodePipeline's limit.
const longestValue = 1000

// Longest is how many characters the value of a pipeline variable may have.
func (Variable) Longest() int { return longestValue }

// Fits refuses words that are longer than a record should keep. The error is a *Problem.
func (in *Intent) Fits() error {
	most, field := in.Verb.Longest(), "reason"
	if in.Verb.Right() == Approve {
		field = "comment"
	}
	if n := utf8.RuneCountInString(in.Reason); n > most {
		return Refuse(CodeValidation, "shorten it; a link can lead to more", "the %s has %d characters, more than the %d that are possible", field, n, most).In(field)
	}
	return nil
}

// Values checks what was given for a start against the variables that the
// pipeline declares, and fills in the defaults. With lenient, a missing value is no
// fault: a form will ask for it. The error is a *Problem.
func (p *Pipeline) Values(given map[string]string, lenient bool) (map[string]string, error) {
	declared := make([]string, len(p.Variables))
	values := map[string]string{}
	for i, v := range p.Variables {
		declared[i] = v.Name
		value, ok := given[v.Name]
		switch {
		case ok && value == "":
			return nil, Refuse(CodeValidation, "leave it out for the default, or give it a value", "the variable %s must not be empty", v.Name).In(v.Name)
		case !ok && v.DefaultValue != nil:
			values[v.Name] = *v.DefaultValue
			continue
		case !ok && lenient:
			continue
		case !ok:
			return nil, Refuse(CodeValidation, "give one as "+v.Name+"=VALUE", "%s cannot start without a value for the variable %s", p.Name, v.Name).In(v.Name)
		}
		if n := utf8.RuneCountInString(value); n > longestValue {
			return nil, Refuse(CodeValidation, "shorten it, or hand over where it is kept", "the variable %s has %d characters, more than the %d that are possible", v.Name, n, longestValue).In(v.Name)
		}
		if v.Pattern != "" {
			whole, err := regexp.Compile("^(?:" + v.Pattern + ")$")
			if err != nil || !whole.MatchString(value) {
				return nil, Refuse(CodeValidation, "give a value of that form", "the variable %s must match %s, and %q does not", v.Name, v.Pattern, value).In(v.Name)
			}
		}
		values[v.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(declared, name) {
			hint := "it has none"
			if len(declared) > 0 {
				hint = "it has " + strings.Join(declared, ", ")
			}
			return nil, Refuse(CodeValidation, hint, "%s has no variable %s", p.Name, name).In(name)
		}
	}
	return values, nil
}

// Pinned are the revisions that a start pins: what its trigger knows, and what
// was asked for instead. The error is a *Problem.
func (p *Pipeline) Pinned(in *Intent) ([]SourceRevision, error) {
	revisions := []SourceRevision{}
	for _, r := range in.Change {
		if a, ok := p.Stages[0].Action(r.ActionName); ok && a.IsSource() || p.IsProtection() {
			revisions = withRevision(revisions, r)
		}
	}
	var asked []SourceRevision
	for _, o := range in.Revisions {
		a, ok := p.Stages[0].Action(o.ActionName)
		if !ok || !a.IsSource() {
			return nil, Refuse(CodeValidation, "name an action of its first stage", "%s has no source action %q", p.Name, o.ActionName).In("sourceRevisions")
		}
		if kinds := a.revisionKinds(); o.RevisionType == "" && len(kinds) == 1 {
			o.RevisionType = kinds[0]
		}
		if err := a.overridable(o); err != nil {
			return nil, err
		}
		asked = withOverride(asked, o, in.AnyRevision)
	}
	for _, r := range asked {
		revisions = withRevision(revisions, r)
	}
	return revisions, nil
}

// withOverride adds a revision that was asked for. The key of an object and its
// version are asked for one by one and make one revision.
func withOverride(asked []SourceRevision, o RevisionOverride, anyBranch bool) []SourceRevision {
	i := slices.IndexFunc(asked, func(r SourceRevision) bool { return r.ActionName == o.ActionName })
	if i < 0 {
		i, asked = len(asked), append(asked, SourceRevision{ActionName: o.ActionName, AnyBranch: anyBranch})
	}
	r := &asked[i]
	if o.RevisionType == "S3_OBJECT_KEY" {
		r.ObjectKey = o.RevisionValue
		if r.Type == "S3_OBJECT_VERSION_ID" {
			return asked
		}
	}
	r.RevisionID, r.Type = o.RevisionValue, ""
	if o.RevisionType != "COMMIT_ID" {
		r.Type = o.RevisionType
	}
	return asked
}

// isCommit says whether a text has the form of a commit's ID, or of its
// beginning, as git abbreviates it: 7 to 64 hexadecimal digits in lower case.
func isCommit(text string) bool {
	return len(text) >= 7 && len(text) <= 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// revisionKinds are what a revision of the source action may be.
func (a *Action) revisionKinds() []string {
	switch a.ActionType.Provider {
	case "S3":
		return []string{"S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"}
	case "ECR":
		return []string{"IMAGE_DIGEST"}
	}
	return []string{"COMMIT_ID"}
}

// overridable judges the revision that was asked for instead of the newest.
func (a *Action) overridable(o RevisionOverride) error {
	kinds := a.revisionKinds()
	switch {
	case !slices.Contains(kinds, o.RevisionType):
		return Refuse(CodeValidation, "say what kind of revision it is", "the revision of %s must be of type %s, not %q", o.ActionName, strings.Join(kinds, " or "), o.RevisionType).In("sourceRevisions")
	case o.RevisionValue == "":
		return Refuse(CodeValidation, "leave the action out for its newest revision", "the revision of %s must not be empty", o.ActionName).In("sourceRevisions")
	case o.RevisionType == "COMMIT_ID" && !isCommit(o.RevisionValue):
		return Refuse(CodeValidation, "give the characters that git log or a card shows, at least 7, in lower case",
			"the revision of %s must be the ID of a commit, and %q is none", o.ActionName, o.RevisionValue).In("sourceRevisions")
	case o.RevisionType == "S3_OBJECT_KEY" && !strings.EqualFold(a.Configuration["AllowOverrideForS3ObjectKey"], "true"):
		return Refuse(CodeValidation, "set it in the pipeline, or choose a version of the object",
			"%s does not let its object key be chosen: AllowOverrideForS3ObjectKey is not true", o.ActionName).In("sourceRevisions")
	}
	return nil
}
