package codebuild

import (
	"maps"
	"slices"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// json is a build as BatchGetBuilds tells it.
func (s *Service) json(b *build) map[string]any {
	out := map[string]any{
		"id": b.id, "arn": s.arn("build/" + b.id), "projectName": b.project.Name, "buildStatus": b.status, "buildComplete": b.complete(),
		"startTime": b.started, "endTime": b.ended, "phases": phasesJSON(b.phases),
	}
	if b.group != "" {
		out["logs"] = map[string]any{"groupName": b.group, "streamName": b.stream}
	}
	if b.settings == nil { // one that others made
		return out
	}
	for _, name := range []string{"source", "environment", "serviceRole", "encryptionKey", "timeoutInMinutes", "queuedTimeoutInMinutes", "cache", "sourceVersion", "secondarySources", "secondarySourceVersions"} {
		out[name] = b.settings[name]
	}
	out["buildNumber"], out["initiator"], out["currentPhase"] = b.number, b.initiator, b.current().name
	out["artifacts"] = planned(api.Input(b.settings).In("artifacts"))
	if b.resolved != "" {
		out["resolvedSourceVersion"] = b.resolved
	}
	if b.batch != nil {
		out["buildBatchArn"] = s.arn("build-batch/" + b.batch.id)
	}
	secondary := []map[string]any{}
	for _, done := range b.artifacts {
		if done["artifactIdentifier"] == nil {
			out["artifacts"] = done
		} else {
			secondary = append(secondary, done)
		}
	}
	if len(secondary) > 0 {
		out["secondaryArtifacts"] = secondary
	}
	if len(b.reports) > 0 {
		out["reportArns"] = b.reports
	}
	if exported := b.exported(); len(exported) > 0 {
		out["exportedEnvironmentVariables"] = exported
	}
	return out
}

// planned is where an artifact will be.
func planned(to api.Input) map[string]any {
	if to.Text("type") != "S3" {
		return map[string]any{}
	}
	return map[string]any{"location": "arn:aws:s3:::" + to.Text("location")}
}

// exported are the exported variables, once the commands have run.
func (b *build) exported() (all []map[string]any) {
	if !slices.ContainsFunc(b.phases, func(p *phase) bool { return p.name == phasePostBuild }) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(b.script.Exported)) {
		all = append(all, map[string]any{"name": name, "value": b.script.Exported[name]})
	}
	return all
}

func phasesJSON(list []*phase) []map[string]any {
	all := []map[string]any{}
	for _, p := range list {
		one := map[string]any{"phaseType": p.name, "startTime": p.started, "endTime": p.ended}
		if p.status != "" {
			one["phaseStatus"] = p.status
		}
		if !p.ended.IsZero() {
			one["durationInSeconds"] = int(p.ended.Sub(p.started).Seconds())
		}
		if p.code != "" || p.message != "" {
			one["contexts"] = []map[string]any{{"statusCode": p.code, "message": p.message}}
		}
		all = append(all, one)
	}
	return all
}
