package codepipeline

import "fmt"

// Error is a refusal: an exception of AWS's model.
type Error struct {
	Code, Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Error {
	return refuse("ValidationException", format, args...)
}

func noPipeline(s *Service, name string) *Error {
	return refuse("PipelineNotFoundException", "Account '%s' does not have a pipeline with name '%s'", s.options.Account, name)
}

func noStage(p *pipeline, stage string) *Error {
	return refuse("StageNotFoundException", "Stage '%s' of pipeline '%s' was not found", stage, p.name)
}

func noExecution(p *pipeline, id string) *Error {
	return refuse("PipelineExecutionNotFoundException", "The pipeline execution with ID %s was not found for pipeline %s.", id, p.name)
}

func unableToRollback(format string, args ...any) *Error {
	return refuse("UnableToRollbackStageException", format, args...)
}
