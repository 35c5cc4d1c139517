package app

import (
	"github.com/rollcall-bot/rollcall/integrations/aws/publish"
	"github.com/rollcall-bot/rollcall/workflows/runtime"
	"github.com/rollcall-bot/rollcall/workflows/runtime/following"
)

var (
	_ runtime.Follower    = (*publish.Follower)(nil)
	_ following.Selective = (*publish.Follower)(nil)
)

// connectPublish has AWS told what happens in pipelines that run here.
func (a *App) connectPublish() {
	c := a.config.AWS
	if a.aws == nil || c == nil {
		return
	}
	o := publish.Options{Metrics: c.Publish.Metrics, Bus: c.Publish.Events, Approvals: c.Publish.Approvals, PublicURL: a.config.PublicURL, RoleARN: c.RoleARN,
		Reader: a.engine, Notes: func(follower string) publish.Notes { return a.engine.MemosOf(follower) }, Log: a.log}
	for _, f := range a.aws.Followers(o) {
		a.engine.AddFollower(f)
		a.on = append(a.on, "publish to AWS: "+f.Name())
	}
}
