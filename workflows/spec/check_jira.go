package spec

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

var (
	opened = regexp.MustCompile(`\{[^{}]*\}?`)
	filled = regexp.MustCompile(`^\{(number|pipeline)\}$`)
)

// jira checks what becomes of the issues of a deployment.
func (c *checker) jira() {
	j := c.p.Jira
	if j == nil {
		return
	}
	if j.Status == "" && j.FixVersion == "" {
		c.fault("jira says nothing of what becomes of the issues", "give status, fixVersion, or both", "jira")
	}
	for _, field := range []struct {
		name, text string
		most       int
	}{{"status", j.Status, 255}, {"fixVersion", j.FixVersion, 200}} {
		if n := utf8.RuneCountInString(field.text); n > field.most {
			c.fault(fmt.Sprintf("%s is longer than %d characters", field.name, field.most), "Jira takes no longer name", "jira", field.name)
		}
	}
	for i, name := range j.Stages {
		if _, ok := c.p.Stage(name); !ok && name != "" {
			c.fault("there is no stage "+words.Quoted(name), meant(name, c.stageNames()), "jira", "stages", i)
		}
	}
	if len(j.Stages) == 0 && len(j.In(c.p)) == 0 {
		c.fault("no stage has an environment, so no deployment is one for jira", "give a stage an environment, or name the stages: jira: {stages: [Production]}", "jira")
	}
	for _, part := range opened.FindAllString(j.FixVersion, -1) {
		if !filled.MatchString(part) {
			c.fault("fixVersion cannot hold "+words.Quoted(part), "it may hold {number} and {pipeline}", "jira", "fixVersion")
		}
	}
}
