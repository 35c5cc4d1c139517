package fill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// history is how long ago the first finished execution began. The last one
// ended an hour ago at the latest.
const history = 20 * 24 * time.Hour

// Folder writes the pipeline files of a plan into dir/pipelines and what a
// service has of them into dir/data.
func Folder(ctx context.Context, dir, repository string, p Plan) error {
	names, path := make([]string, p.Pipelines), map[string]string{}
	if err := os.MkdirAll(filepath.Join(dir, "pipelines"), 0o700); err != nil {
		return err
	}
	for i := range names {
		names[i] = Name(i)
		path[names[i]] = filepath.Join(dir, "pipelines", names[i]+".yaml")
		if err := os.WriteFile(path[names[i]], []byte(Definition(names[i], repository)), 0o600); err != nil {
			return err
		}
	}
	define := func(e *engine) error {
		return each(names, func(name string) error { return e.define(ctx, path[name], Definition(name, repository)) })
	}
	data := filepath.Join(dir, "data")
	if p.Finished > 0 {
		if err := finished(ctx, data, p, define); err != nil {
			return fmt.Errorf("write finished executions: %w", err)
		}
	}
	if !p.Parked {
		return nil
	}
	return with(ctx, data, 0, func(e *engine) error {
		if err := define(e); err != nil {
			return err
		}
		return e.park(ctx, names)
	})
}

// finished runs one execution of each pipeline that has some, and repeats it.
func finished(ctx context.Context, data string, p Plan, define func(*engine) error) error {
	shares := p.shares()
	var some []string
	for i, n := range shares {
		if n > 0 {
			some = append(some, Name(i))
		}
	}
	err := with(ctx, data, history, func(e *engine) error {
		return errors.Join(define(e), e.park(ctx, some), e.finish(ctx, some))
	})
	if err != nil {
		return err
	}
	return repeat(ctx, data, shares)
}

// with runs an engine for as long as do takes.
func with(ctx context.Context, data string, behind time.Duration, do func(*engine) error) error {
	e, err := start(ctx, data, behind)
	if err != nil {
		return err
	}
	return errors.Join(do(e), e.stop())
}
