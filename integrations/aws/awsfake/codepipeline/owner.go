package codepipeline

import "fmt"

// Play sets what an action, or a rule of the stage, does from now on: each run takes the next script, the last one stays.
func (s *Service) Play(pipeline, stage, name string, scripts ...Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	s.recordCall("play", told{Pipeline: pipeline, Stage: stage, Name: name, Scripts: scripts})
	s.scripts[pipeline+"/"+stage+"/"+name] = scripts
}

// Push sets the revision that a source action finds from now on. It starts nothing.
func (s *Service) Push(pipeline, action string, rev Revision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	s.recordCall("push", told{Pipeline: pipeline, Name: action, Revision: rev})
	s.revisions[pipeline+"/"+action] = rev
}

// Start starts an execution as a change of source, a schedule or a webhook does, and returns its ID.
func (s *Service) Start(pipeline, triggerType, detail string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	defer s.catchUp()
	s.recordCall("start", told{Pipeline: pipeline, Name: triggerType, Detail: detail})
	p := s.pipelines[pipeline]
	switch {
	case p == nil:
		return "", noPipeline(s, pipeline)
	case !s.room(p):
		return "", tooMany(p)
	}
	return s.start(p, start{trigger: triggerType, detail: detail}).id, nil
}

// Finish ends an action or a rule that runs now in an execution, as the script says.
func (s *Service) Finish(execution, stage, name string, how Script) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	defer s.catchUp()
	s.recordCall("finish", told{Detail: execution, Stage: stage, Name: name, Scripts: []Script{how}})
	for _, p := range s.pipelines {
		e := p.find(execution)
		if e == nil || e.run(stage) == nil {
			continue
		}
		r := e.run(stage)
		if a := r.last(name); a != nil && a.status == inProgress {
			s.finish(a, how)
			return nil
		}
		for _, ru := range r.rules {
			if ru.def.Name == name && ru.status == inProgress {
				s.judged(ru, how)
				return nil
			}
		}
	}
	return fmt.Errorf("%s of stage %s does not run in execution %s", name, stage, execution)
}
