package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/github/api"
	"github.com/rollcall-bot/rollcall/integrations/wire"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/event"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	factsWithin = 10 * time.Second // for all that GitHub is asked about one execution
	factWithin  = 4 * time.Second  // for one of the questions, so that the next gets its turn
	factTries   = 5                // then the gate does without what GitHub has not answered
	factsAgain  = time.Hour        // until a repository that refuses a question is asked it again
	factImages  = 3                // of an execution, one call each
	factTags    = 2                // of an execution, two calls each
)

// Facts notes on an execution, when a gate opens, what GitHub says of what people
// decide about there: which workflow has attested an image, whether a release is
// immutable, whether a tag may move. It is a note "facts/STAGE". What is not known is
// left out, and nobody waits for it.
type Facts struct {
	perExecution
}

// NewFacts checks the options; its errors are *workflows.Problem.
func NewFacts(o Options) (*Facts, error) {
	f, err := newFollower("github-facts", o)
	if err != nil {
		return nil, err
	}
	return &Facts{perExecution{f}}, nil
}

// Concerns says whether a gate has opened.
func (f *Facts) Concerns(frame event.Frame) bool {
	return frame.Has(event.GateOpened)
}

// Follow notes what GitHub knows about the executions of the batch that wait for
// people. It asks once; what fails is tried a few times by the clock, then left out.
func (f *Facts) Follow(ctx context.Context, b event.Batch) error {
	k := f.keeper("facts for approvals", f.update)
	return k.follow(ctx, b)
}

// lookedUp is the memo of an execution: by stage, about what GitHub was asked.
type lookedUp struct {
	Asked map[string]string `json:"asked,omitempty"`
	Tries int               `json:"tries,omitempty"` // that have failed, of the question that waits
}

func (f *Facts) update(ctx context.Context, id string, _ bool, blocked blocks) (left, err error) {
	e, err := f.Reader.Execution(ctx, workflows.EnginePrincipal(), id)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading execution %s: %w", id, err)
	}
	open := asking(&e)
	if len(open) == 0 {
		return nil, nil
	}
	q, err := f.question(ctx, &e)
	if err != nil || q == nil {
		return nil, err
	}
	done := lookedUp{Asked: map[string]string{}}
	if err := f.read(ctx, executionKey(id), &done); err != nil {
		return nil, err
	}
	open = slices.DeleteFunc(open, func(stage string) bool { return done.Asked[stage] == q.about() })
	if len(open) == 0 {
		return nil, nil
	}
	if blocked[""] {
		return errors.New("GitHub is away"), nil
	}
	found, left, err := f.answers(ctx, &e, q)
	if err != nil {
		return nil, err
	}
	if left != nil {
		blocked.note(q.at.repository(), left)
		if done.Tries++; done.Tries < factTries {
			return left, f.note(ctx, executionKey(id), done)
		}
		f.Log.With(words.LogAttrs(e.Ref(), open[0])...).Warn("GitHub was asked in vain about what an approval is for; the gate does without it", "repository", q.at.repository(), "error", wire.Scrub(left))
	}
	for _, stage := range open {
		if err := f.annotate(ctx, &e, stage, found); err != nil {
			return nil, err
		}
		done.Asked[stage] = q.about()
	}
	done.Tries = 0
	return nil, f.note(ctx, executionKey(id), done)
}

// asking are the stages of an execution in which a gate is open.
func asking(e *workflows.Execution) (stages []string) {
	for i := range e.Stages {
		if slices.ContainsFunc(e.Stages[i].Actions, func(a workflows.ActionExecution) bool { return a.Approval != nil && a.Approval.Closed == "" }) {
			stages = append(stages, e.Stages[i].Name)
		}
	}
	return stages
}

// factQuestion is what GitHub can be asked about an execution.
type factQuestion struct {
	at     commitRef // of the first source on GitHub: its repository has attested the images
	images []image
	tags   []tagRef
	more   int // images that are not asked about
}

// tagRef is a tag, with the commit that it brought in.
type tagRef struct {
	commitRef
	tag string
}

// about names what is asked, so that the same is not asked twice.
func (q *factQuestion) about() string {
	var all []string
	for _, i := range q.images {
		all = append(all, i.digest)
	}
	for _, t := range q.tags {
		all = append(all, t.repository()+"@"+t.tag)
	}
	return strings.Join(all, " ")
}

// question is what is known of an execution that GitHub may know more about; nil: nothing.
func (f *Facts) question(ctx context.Context, e *workflows.Execution) (*factQuestion, error) {
	p, err := f.definition(ctx, e)
	if err != nil {
		return nil, err
	}
	commits := f.commitsOf(e, p)
	if len(commits) == 0 {
		return nil, nil
	}
	q := &factQuestion{at: commits[0]}
	if q.images, err = f.images(ctx, e, q.at); err != nil {
		return nil, err
	}
	q.more = max(len(q.images)-factImages, 0)
	q.images = q.images[:len(q.images)-q.more]
	for _, r := range e.SourceRevisions {
		repository, ok := f.repositoryOf(p, r)
		owner, name, err := api.SplitRepository(repository)
		if ok && err == nil && r.Tag != "" && api.IsSHA(r.RevisionID) && len(q.tags) < factTags {
			q.tags = append(q.tags, tagRef{commitRef{owner, name, r.RevisionID}, r.Tag})
		}
	}
	if q.about() == "" {
		return nil, nil
	}
	return q, nil
}

// answers are the facts that GitHub gives. left is why some may be missing that
// could be known later; the error is trouble of our own.
func (f *Facts) answers(ctx context.Context, e *workflows.Execution, q *factQuestion) (found []string, left, err error) {
	within, cancel := context.WithTimeout(ctx, factsWithin)
	defer cancel()
	ask := func(look func(ctx context.Context) (string, error)) {
		ctx, cancel := context.WithTimeout(within, factWithin)
		defer cancel()
		fact, failed := look(ctx)
		left = cmp.Or(left, failed)
		if fact != "" {
			found = append(found, fact)
		}
	}
	for _, i := range q.images {
		ask(func(ctx context.Context) (string, error) { return f.attested(ctx, e, q.at, i) })
	}
	if len(found) > 0 && q.more > 0 {
		found = append(found, "GitHub was not asked about "+words.Count(q.more, "more image"))
	}
	for _, t := range q.tags {
		ask(func(ctx context.Context) (string, error) { return f.tagged(ctx, e, t) })
	}
	return found, left, ctx.Err()
}

// ask makes a call. ok is false where GitHub knows nothing of it, or does not say; what
// it refuses for want of a permission is said once and left alone for a while. An error
// may pass.
func (f *Facts) ask(ctx context.Context, e *workflows.Execution, at commitRef, permission string, call func() error) (ok bool, err error) {
	key := "refused/" + permission + "/" + at.repository()
	until := map[string]time.Time{}
	if err := f.read(ctx, key, &until); err != nil || f.Now().Before(until["until"]) {
		return false, err
	}
	err = call()
	switch {
	case err == nil:
		return true, nil
	case isMissing(err):
		return false, nil
	case api.Kind(err) == wire.Transient:
		return false, &refusal{"asking for facts about", at.repository(), err}
	}
	f.Log.With(words.LogAttrs(e.Ref())...).Warn("GitHub does not say what it knows of what an approval is for; gates do without it", "repository", at.repository(), "status", api.Status(err),
		"hint", api.Advice(err, fmt.Sprintf("the permission %q on this repository; or set github.gateFacts: false", permission)), "error", wire.Scrub(err))
	return false, f.note(ctx, key, map[string]time.Time{"until": f.Now().Add(factsAgain)})
}

// annotate puts the facts of a stage on the execution. Those that were noted of
// something that it does not bring any more are taken back.
func (f *Facts) annotate(ctx context.Context, e *workflows.Execution, stage string, found []string) error {
	n := workflows.Note{Name: "facts/" + stage, State: "done", Text: strings.Join(found, "; ")}
	i := slices.IndexFunc(e.Notes, func(old workflows.Note) bool { return old.Name == n.Name })
	if i >= 0 {
		n.Text = cmp.Or(n.Text, "nothing is known about what it brings now")
	}
	if n.Text == "" || i >= 0 && e.Notes[i] == n || f.Submitter == nil {
		return nil
	}
	in := workflows.Intent{Verb: workflows.Annotate, Pipeline: e.Pipeline, Execution: e.ID, Note: &n}
	if _, err := f.Submitter.Submit(ctx, in, workflows.EnginePrincipal()); err != nil && !notFound(err) {
		return fmt.Errorf("noting facts on %s: %w", e.Ref(), err)
	}
	return nil
}
