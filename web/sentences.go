package web

import (
	"slices"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/say"
)

// worded fills in the sentences of an answer (statusText), so that no page has
// to invent them. What it is given may be shared with other readers: what it
// changes it copies.
func worded(v any) any {
	switch v := v.(type) {
	case workflows.Execution:
		return execution(v)
	case *workflows.Execution:
		return execution(*v)
	case workflows.PipelineView:
		return pipeline(v)
	case edited:
		v.PipelineView = pipeline(v.PipelineView)
		return v
	case map[string]any:
		for key, list := range v {
			switch list := list.(type) {
			case []workflows.Execution:
				v[key] = each(list, execution)
			case []workflows.PipelineView:
				v[key] = each(list, pipeline)
			case []say.OpenApproval:
				v[key] = each(list, approval)
			}
		}
	}
	return v
}

func each[T any](all []T, word func(T) T) []T {
	all = slices.Clone(all)
	for i := range all {
		all[i] = word(all[i])
	}
	return all
}

func execution(e workflows.Execution) workflows.Execution {
	f := say.Format{} // without times, which stand beside the sentence as values
	e.StatusText = f.StatusText(&e)
	e.Stages = each(e.Stages, func(s workflows.StageExecution) workflows.StageExecution {
		s.StatusText = f.StageText(&e, &s)
		return s
	})
	return e
}

func pipeline(p workflows.PipelineView) workflows.PipelineView {
	p.Stages = each(p.Stages, func(s workflows.StageView) workflows.StageView {
		s.StatusText = (&say.Format{}).StageNow(&s)
		return s
	})
	return p
}

func approval(o say.OpenApproval) say.OpenApproval {
	o.StatusText = (&say.Format{}).GateNow(&o.Approval)
	return o
}
