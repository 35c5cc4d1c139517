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

// Invalid refuses a field of what was asked for.
func Invalid(field, hint, format string, args ...any) *Problem {
	return &Problem{Code: CodeValidation, Field: field, Hint: hint, Message: fmt.Sprintf(format, args...)}
}

// Fits refuses words that are longer than a record should keep: comments as
// with CodePipeline (engine.md 1.3), reasons more generously. The error is a *Problem.
func (in *Intent) Fits() error {
	most, field := 3000, "reason"
	if in.Verb.Right() == Approve {
		most, field = 512, "comment"
	}
	if n := utf8.RuneCountInString(in.Reason); n > most {
		return Invalid(field, "shorten it; a link can lead to more", "the %s has %d characters, more than the %d that are possible", field, n, most)
	}
	return nil
}

// longestValue is how many characters the value of a pipeline variable may have (engine.md 1.3).
const longestValue = 1000

// Values checks what was given for a start against the variables that the
// pipeline declares, and fills in the defaults. With lenient, a missing value is no
// fault: a form will ask for it. The error is a *Problem (engine.md 2.4).
func (p *Pipeline) Values(given map[string]string, lenient bool) (map[string]string, error) {
	declared := make([]string, len(p.Variables))
	values := map[string]string{}
	for i, v := range p.Variables {
		declared[i] = v.Name
		value, ok := given[v.Name]
		switch {
		case ok && value == "":
			return nil, Invalid(v.Name, "leave it out for the default, or give it a value", "the variable %s must not be empty", v.Name)
		case !ok && v.DefaultValue != nil:
			values[v.Name] = *v.DefaultValue
			continue
		case !ok && lenient:
			continue
		case !ok:
			return nil, Invalid(v.Name, "give one as "+v.Name+"=VALUE", "%s cannot start without a value for the variable %s", p.Name, v.Name)
		}
		if n := utf8.RuneCountInString(value); n > longestValue {
			return nil, Invalid(v.Name, "shorten it, or hand over where it is kept", "the variable %s has %d characters, more than the %d that are possible", v.Name, n, longestValue)
		}
		if v.Pattern != "" {
			whole, err := regexp.Compile("^(?:" + v.Pattern + ")$")
			if err != nil || !whole.MatchString(value) {
				return nil, Invalid(v.Name, "give a value of that form", "the variable %s must match %s, and %q does not", v.Name, v.Pattern, value)
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
			return nil, Invalid(name, hint, "%s has no variable %s", p.Name, name)
		}
	}
	return values, nil
}

// Pinned are the revisions that a start pins: what its trigger knows, and what
// was asked for instead. The error is a *Problem.
func (p *Pipeline) Pinned(in *Intent) ([]SourceRevision, error) {
	revisions := []SourceRevision{}
	for _, r := range in.Change {
		if a, ok := p.Stages[0].Action(r.ActionName); ok && a.IsSource() {
			revisions = withRevision(revisions, r)
		}
	}
	for _, o := range in.Revisions {
		a, ok := p.Stages[0].Action(o.ActionName)
		if !ok || !a.IsSource() {
			return nil, Invalid("sourceRevisions", "name an action of its first stage", "%s has no source action %q", p.Name, o.ActionName)
		}
		if err := a.overridable(o); err != nil {
			return nil, err
		}
		r := SourceRevision{ActionName: o.ActionName, RevisionID: o.RevisionValue, AnyBranch: in.AnyRevision}
		if o.RevisionType != "COMMIT_ID" {
			r.Type = o.RevisionType
		}
		revisions = withRevision(revisions, r)
	}
	return revisions, nil
}

// overridable judges the revision that was asked for instead of the newest
// (engine.md 2.5): each provider has its own kinds.
func (a *Action) overridable(o RevisionOverride) error {
	kinds := map[string][]string{"S3": {"S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"}, "ECR": {"IMAGE_DIGEST"}}[a.ActionType.Provider]
	if kinds == nil {
		kinds = []string{"COMMIT_ID"}
	}
	switch {
	case !slices.Contains(kinds, o.RevisionType):
		return Invalid("sourceRevisions", "say what kind of revision it is", "the revision of %s must be of type %s, not %q", o.ActionName, strings.Join(kinds, " or "), o.RevisionType)
	case o.RevisionValue == "":
		return Invalid("sourceRevisions", "leave the action out for its newest revision", "the revision of %s must not be empty", o.ActionName)
	case o.RevisionType == "S3_OBJECT_KEY" && !strings.EqualFold(a.Configuration["AllowOverrideForS3ObjectKey"], "true"):
		return Invalid("sourceRevisions", "set it in the pipeline, or choose a version of the object",
			"%s does not let its object key be chosen: AllowOverrideForS3ObjectKey is not true", o.ActionName)
	}
	return nil
}
