package invoke

import (
	"maps"
	"strings"
	"testing"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake"
	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/lambda"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner"
	"github.com/rollcall-bot/rollcall/integrations/aws/runner/runnertest"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/work"
)

// kind is the kind of that name.
func kind(name string) func() runner.Kind {
	return func() runner.Kind {
		for _, k := range Kinds() {
			if k.Name() == name {
				return k
			}
		}
		panic("there is no " + name)
	}
}

// calls makes the function "migrate", and returns a task that calls it; seen keeps
// what it was called with.
func calls(w *runnertest.World, seen *[]string, answer lambda.Answer) work.Task {
	awsfake.At[*lambda.Service](w.AWS, runnertest.Account, runnertest.Region).Create(lambda.Function{Name: "migrate", Handler: func(payload []byte) lambda.Answer {
		*seen = append(*seen, string(payload))
		return answer
	}})
	return w.Task(map[string]string{"FunctionName": "migrate", "UserParameters": "schema=7"})
}

func TestAFunctionGetsItsEventAndAnswersVariables(t *testing.T) {
	runnertest.In(t, kind("Invoke/Lambda")(), func(w *runnertest.World) {
		var seen []string
		task := calls(w, &seen, lambda.Answer{Log: []string{"START", "migrated 3 tables", "END"},
			Payload: `{"status": "Succeeded", "message": "3 tables", "outputVariables": {"schema": "7", "tables": 3, "dry": false}}`})
		w.Files["app"] = map[string]string{}
		task.Action.InputArtifacts, task.Inputs = []string{"app"}, []workflows.Artifact{{Name: "app", Digest: "ab12"}}
		task.Action.OutputArtifacts = []workflows.OutputArtifact{{Name: "report"}}
		o := w.Run(task)
		if o.State != work.Succeeded || o.Summary != "3 tables" || !maps.Equal(o.Outputs, map[string]string{"schema": "7", "tables": "3", "dry": "false"}) {
			t.Fatalf("%+v %+v", o, o.Error)
		}
		token := runner.TokenOf(task.ID)
		if len(o.Artifacts) != 1 || o.Artifacts[0].At != "s3://acme-art/webshop/"+token+"/report" {
			t.Errorf("the artifacts are %+v", o.Artifacts)
		}
		want := `{"rollcall":{"token":"` + token + `","pipeline":"webshop","execution":"webshop#42","executionId":"019cadfd-8900-7744-98aa-2786dd0d8946","stage":"Stage","action":"Act","attempt":1},` +
			`"userParameters":"schema=7","inputArtifacts":[{"name":"app","bucket":"acme-art","key":"app","versionId":"v1","sha256":"ab12"}],"outputArtifacts":[{"name":"report","bucket":"acme-art","key":"webshop/` + token + `/report"}]}`
		if len(seen) != 1 || seen[0] != want {
			t.Errorf("the function got\n%q, want\n%s", seen, want)
		}
		if log := w.Log(); log != "START\nmigrated 3 tables\nEND\n" {
			t.Errorf("the log is %q", log)
		}
	})
}

func TestHowAFunctionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		answer            lambda.Answer
		code, says, class string
	}{
		"it says nothing":         {lambda.Answer{}, "", "", ""},
		"it says a text":          {lambda.Answer{Payload: `"done"`}, "", "", ""},
		"it says no status":       {lambda.Answer{Payload: `{"outputVariables": {"a": "b"}}`}, "", "", ""},
		"it says that it failed":  {lambda.Answer{Payload: `{"status": "Failed", "message": "schema 8 is there"}`}, "FunctionFailed", "the function migrate says that it failed: schema 8 is there", "CommandFailed"},
		"another status":          {lambda.Answer{Payload: `{"status": "maybe"}`}, "AnswerInvalid", "the status maybe", ""},
		"a variable of an object": {lambda.Answer{Payload: `{"outputVariables": {"a": {}}}`}, "AnswerInvalid", "the output variable a", ""},
		"variables in a list":     {lambda.Answer{Payload: `{"outputVariables": ["a"]}`}, "AnswerInvalid", "answers what is no", ""},
		"an exception":            {lambda.Answer{ErrorType: "KeyError", ErrorMessage: "'schema'"}, "FunctionError", "the function migrate failed with KeyError: 'schema'", "CommandFailed"},
		"its time is over":        {lambda.Answer{ErrorType: "Sandbox.Timedout", ErrorMessage: "Task timed out after 3.00 seconds"}, "FunctionError", "Task timed out", "Timeout"},
		"its memory is full":      {lambda.Answer{ErrorType: "Runtime.OutOfMemory", ErrorMessage: "signal: killed"}, "FunctionError", "signal: killed", "Quota"},
		"it cannot be loaded":     {lambda.Answer{ErrorType: "Runtime.ImportModuleError", ErrorMessage: "No module named 'psycopg'"}, "FunctionError", "No module named", "Validation"},
		"its own role may not": {lambda.Answer{ErrorType: "ClientError", ErrorMessage: "User: arn:aws:sts::111122223333:assumed-role/migrate/migrate is not authorized to perform: rds:StartExportTask on resource: arn:aws:rds:eu-west-1:111122223333:db:shop because no identity-based policy allows the rds:StartExportTask action"},
			"FunctionError", "rds:StartExportTask", "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			runnertest.In(t, kind("Rule/LambdaInvoke")(), func(w *runnertest.World) {
				var seen []string
				o := w.Run(calls(w, &seen, c.answer))
				if c.code == "" {
					if o.State != work.Succeeded {
						t.Fatalf("%+v %+v", o, o.Error)
					}
					return
				}
				fails(t, o, c.code, c.says, c.class)
			})
		})
	}
}

// fails compares how an action failed.
func fails(t *testing.T, o work.Outcome, code, says, class string) {
	t.Helper()
	if o.State != work.Failed || o.Error == nil || o.Error.Code != code || !strings.Contains(o.Error.Message, says) {
		t.Fatalf("%s %+v, want %s with %q", o.State, o.Error, code, says)
	}
	f := o.Error.Finding
	if class != "" && (f == nil || f.Class != class || !strings.Contains(strings.Join(f.Fix, "\n"), "rollcall retry webshop#42")) {
		t.Errorf("the finding is %+v, want class %s and how to try again", f, class)
	}
}

// A call whose answer is lost is repeated only where the action may start again by itself.
func TestALostAnswerOfAFunction(t *testing.T) {
	for _, c := range []struct {
		trouble     awsfake.Trouble
		restartable bool
		state       string
		runs        int
	}{
		{awsfake.CutAfter, false, work.InDoubt, 1},
		{awsfake.CutBefore, false, work.InDoubt, 0},
		{awsfake.ServerError, false, work.InDoubt, 0},
		{awsfake.CutAfter, true, work.Succeeded, 2},
		{awsfake.Throttle, false, work.Succeeded, 1},
		{awsfake.ExpiredToken, false, work.Succeeded, 1},
	} {
		runnertest.In(t, kind("Invoke/Lambda")(), func(w *runnertest.World) {
			var seen []string
			task := calls(w, &seen, lambda.Answer{})
			task.Restartable = c.restartable
			w.AWS.Faults(awsfake.Fault{Operation: "lambda:Invoke", Trouble: c.trouble, Times: 1})
			if o := w.Run(task); o.State != c.state || len(seen) != c.runs {
				t.Errorf("%s, restartable %v: it ended %s %+v, and the function ran %d times", c.trouble, c.restartable, o.State, o.Error, len(seen))
			}
			if len(seen) == 2 && seen[0] != seen[1] {
				t.Errorf("the two calls differ: %q", seen)
			}
		})
	}
}

func TestFunctionMatrix(t *testing.T) {
	runnertest.Matrix(t, runnertest.Case{Kind: kind("Invoke/Lambda"), Once: []string{"lambda:Invoke"}, Given: ready})
}
