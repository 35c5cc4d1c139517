package build_test

import (
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/codebuild"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// What iam-policy prints for a build is enough, and nothing of it is too much.
func TestRightsOfBuilds(t *testing.T) {
	tested := codebuild.Script{Lines: map[string][]string{"BUILD": {"testing"}}, Reports: []codebuild.Report{{Name: "unit", Cases: []codebuild.Case{{Name: "A"}}}}}
	batch := func(w *runnertest.World) work.Task {
		task := given(w)
		codeBuild(w).Projects(codebuild.Project{Name: project, BatchRole: "arn:aws:iam::111122223333:role/batch"})
		codeBuild(w).PlayBatch(project, codebuild.Group{ID: "linux"})
		task.Configuration["BatchEnabled"] = "true"
		task.Action.OutputArtifacts = nil
		return task
	}
	commands := func(w *runnertest.World) work.Task {
		task := given(w, codebuild.Script{Lines: map[string][]string{"BUILD": {"making"}}})
		task.Commands = []string{"make"}
		return task
	}
	for name, c := range map[string]runnertest.Case{
		"a build": {Kind: kind("Build", "CodeBuild"), Once: []string{"codebuild:StartBuild"}, Given: func(w *runnertest.World) work.Task { return given(w, tested) },
			Ways: []runnertest.Way{{Name: "a stop", Ends: work.Cancelled, After: 10 * time.Minute, Given: func(w *runnertest.World) work.Task {
				return given(w, codebuild.Script{Takes: map[string]time.Duration{"BUILD": time.Hour}})
			}}}},
		"a batch":  {Kind: kind("Build", "CodeBuild"), Once: []string{"codebuild:StartBuildBatch"}, Given: batch},
		"commands": {Kind: kind("Compute", "Commands"), Once: []string{"codebuild:StartBuild"}, Given: commands},
		"an image": {Kind: kind("Build", "ECRBuildAndPublish"), Once: []string{"codebuild:StartBuild"}, Given: func(w *runnertest.World) work.Task {
			task := given(w, codebuild.Script{Lines: map[string][]string{"BUILD": {"pushing"}}, Exported: map[string]string{"ECRImageDigestId": "sha256:1", "ECRRepositoryName": "shop"}})
			task.Configuration = map[string]string{"ECRRepositoryName": "shop"}
			task.Action.OutputArtifacts = nil
			return task
		}},
		"a rule": {Kind: kind("Rule", "CodeBuild"), Once: []string{"codebuild:StartBuild"}, Given: func(w *runnertest.World) work.Task {
			task := given(w, tested)
			task.Action.OutputArtifacts = nil
			return task
		}},
	} {
		t.Run(name, func(t *testing.T) { runnertest.Rights(t, c) })
	}
}
