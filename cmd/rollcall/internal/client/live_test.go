package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// What ran last in a build is live nowhere; a pipeline without environments shows all it has.
func TestWhatIsLiveWhere(t *testing.T) {
	at := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	running := &workflows.Running{Execution: "x", Number: 7, Since: at.Add(-10 * time.Second), Certain: true}
	v := workflows.PipelineView{Name: "shop", Stages: []workflows.StageView{{Name: "Build", Running: running}, {Name: "Production", Running: running}}}
	lives := func() []bool {
		var out bytes.Buffer
		Printer{W: &out, Now: at}.Pipeline(v)
		var has []bool
		for _, line := range strings.Split(out.String(), "\n")[2:4] {
			has = append(has, strings.Contains(line, "#7 since 10 s ago"))
		}
		return has
	}
	if got := lives(); !got[0] || !got[1] {
		t.Errorf("without environments: %v", got)
	}
	v.Stages[1].Environment = "production"
	if got := lives(); got[0] || !got[1] {
		t.Errorf("with one: %v", got)
	}
}
