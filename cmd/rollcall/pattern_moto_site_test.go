package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-bot/rollcall/workflows"
)

// takeEdited is take with some texts of the file replaced, in pairs of old and new.
func (w *patternFixture) takeEdited(file string, texts ...string) {
	w.t.Helper()
	w.take(file)
	name := "pipelines/" + filepath.Base(file)
	w.write(name, strings.NewReplacer(texts...).Replace(w.read(name)))
}

// The pattern GitHub, CodeBuild, S3 and CloudFront against moto: artifacts are kept, read and published in its S3 with their
// checksums and versions, builds are started and watched, the site's files lie in the bucket as they should, and
// CloudFront was asked. `rollcall doctor` finds the roles, bucket and project in order.
//
// What moto cannot do: it gives distributions an ID of its own, so that one word of the file differs. Its builds read no
// source, make no artifacts, have neither log nor reports nor exported variables, and never fail. Invalidations are
// complete at once. It checks neither rights nor trust policies, so that no AccessDenied comes.
func TestPatternSiteOnMoto(t *testing.T) {
	distribution := ""
	w, m := onMoto(t, func(w *patternFixture, m *moto) {
		m.makes = map[string]map[string]string{"site-render": {"index.html": "the page", "img/logo.svg": "<svg/>"}}
		m.project("site-render")
		made := m.do("cloudfront", "CreateDistribution", map[string]any{"DistributionConfig": map[string]any{"CallerReference": "1", "Comment": "the site", "Enabled": true,
			"Origins":              map[string]any{"Quantity": 1, "Items": []map[string]any{{"Id": "site", "DomainName": "acme-site.s3.amazonaws.com", "S3OriginConfig": map[string]any{"OriginAccessIdentity": ""}}}},
			"DefaultCacheBehavior": map[string]any{"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}})
		distribution, _ = made["Distribution"].(map[string]any)["Id"].(string)
		w.takeEdited("site/site.json", siteDistribution, distribution)
	}, "acme-site")
	w.push("one", "Begin")
	w.ended(1, workflows.StatusSucceeded)
	for key, want := range map[string]string{"index.html": "the page", "img/logo.svg": "<svg/>"} {
		if o := m.do("s3", "GetObject", map[string]any{"Bucket": "acme-site", "Key": key}); o["Body"] != want || o["CacheControl"] != "public, max-age=300" {
			t.Errorf("%s is %v", key, o)
		}
	}
	if all, _ := m.do("cloudfront", "ListInvalidations", map[string]any{"DistributionId": distribution})["InvalidationList"].(map[string]any); all["Quantity"] != 1.0 {
		t.Errorf("CloudFront has the invalidations %v", all)
	}
	for name, a := range w.execution(1).Artifacts {
		where, version, _ := strings.Cut(strings.TrimPrefix(a.At, "s3://"+artifactsOfPatterns+"/"), "?versionId=")
		o := m.do("s3", "HeadObject", map[string]any{"Bucket": artifactsOfPatterns, "Key": where, "VersionId": version})
		if o["ContentLength"] != float64(a.Size) {
			t.Errorf("the artifact %s has %d bytes, and in S3 %v", name, a.Size, o)
		}
	}
	out := w.doctor()
	for _, want := range []string{`(?m)^ok +aws .*` + artifactsOfPatterns, `(?m)^ok +aws site: Build/Render: what it names is there`, `(?m)^ok +aws site: Production/Publish: what it names is there`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("doctor does not say %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "problem  aws") {
		t.Errorf("doctor finds fault with AWS:\n%s", out)
	}
}

// The pattern of the container against moto: the task definition that is registered differs from the one before by the image
// alone, and the service is told to run it. That ECS cannot be asked how it goes is told, and fails nothing.
//
// What moto cannot do: its CodeCommit knows repositories and no branches (GetBranch is a 500), so that the source is
// GitHub's; its builds export no variables, so that the image is not told to the tests. Its ECS starts no tasks and knows no
// service deployments (ListServiceDeployments is a 500), so that the deployment never ends.
func TestPatternContainerOnMoto(t *testing.T) {
	w, m := onMoto(t, func(w *patternFixture, m *moto) {
		m.makes = map[string]map[string]string{"shop-image": {"imagedefinitions.json": `[{"name": "web", "imageUri": "shop:1"}]`}}
		m.project("shop-image")
		m.project("shop-tests")
		before := map[string]any{"family": "web", "taskRoleArn": "arn:aws:iam::111122223333:role/web", "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"}, "cpu": "512", "memory": "1024",
			"containerDefinitions": []map[string]any{{"name": "web", "image": "shop:0", "essential": true, "environment": []map[string]any{{"name": "TZ", "value": "UTC"}}, "portMappings": []map[string]any{{"containerPort": 8080, "protocol": "tcp"}}},
				{"name": "proxy", "image": "envoy:3", "essential": false}}}
		m.do("ecs", "CreateCluster", map[string]any{"clusterName": "shop"})
		m.do("ecs", "RegisterTaskDefinition", before)
		m.do("ecs", "CreateService", map[string]any{"cluster": "shop", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2})
		w.takeEdited("container/container.json", `"provider": "CodeCommit"`, `"provider": "CodeStarSourceConnection"`, `"RepositoryName": "shop"`,
			`"FullRepositoryId": "acme/webshop", "ConnectionArn": "arn:aws:codeconnections:eu-west-1:111122223333:connection/0f7d2c11-6a53-4d0a-9c4f-3b8f6f2f6d11"`, `"PollForSourceChanges": "true"`, `"DetectChanges": "true"`,
			`#{BuildVariables.IMAGE}`, `shop:1`)
	})
	w.push("one", "Begin")
	definition := func(revision string) map[string]any {
		d, _ := m.do("ecs", "DescribeTaskDefinition", map[string]any{"taskDefinition": "web:" + revision})["taskDefinition"].(map[string]any)
		for _, own := range []string{"taskDefinitionArn", "revision", "registeredAt", "registeredBy", "status"} {
			delete(d, own)
		}
		return d
	}
	service := func() string {
		all, _ := m.do("ecs", "DescribeServices", map[string]any{"cluster": "shop", "services": []string{"web"}})["services"].([]any)
		return all[0].(map[string]any)["taskDefinition"].(string)
	}
	w.until("the service is told", func() bool { return strings.HasSuffix(service(), "web:2") })
	old, now := definition("1"), definition("2")
	old["containerDefinitions"].([]any)[0].(map[string]any)["image"] = "shop:1"
	if diff := cmp.Diff(old, now); diff != "" {
		t.Errorf("the task definition differs by more than the image:\n%s", diff)
	}
	w.until("the log of the service says that ECS could not be asked", func() bool { return strings.Contains(w.read("service.log"), "ECS ListServiceDeployments") })
	if got := w.action(1, "Production/Deploy"); got.Status != workflows.StatusInProgress {
		t.Errorf("the deployment is %+v", got)
	}
}

// doctor is what `rollcall doctor` says of the fixture's configuration, whatever it finds.
func (w *patternFixture) doctor() string {
	w.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), exe, "doctor", "--config", w.path("rollcall.yaml"))
	cmd.Env = append(w.env, "ROLLCALL_TEST_AS_SERVICE=1")
	out, err := cmd.CombinedOutput()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		w.t.Fatal(err)
	}
	return string(out)
}
