package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/subject"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// approval checks who may answer a gate, and how many must.
func (c *checker) approval(p *workflows.ApprovalPolicy, at func(...any) []any) {
	if p.Required < 1 {
		c.fault(fmt.Sprintf("required cannot be %d", p.Required), "it is how many different people must approve, 1 or more", at("approval", "required")...)
	}
	single := true // from names people one by one
	seen := map[string]bool{}
	for k, who := range p.From {
		c.who(who, at("approval", "from", k)...)
		kind, _, ok := subject.Split(who)
		single = single && ok && (kind == subject.Mail || kind == subject.Token)
		seen[strings.ToLower(who)] = true
	}
	if single && len(seen) > 0 && p.Required > len(seen) {
		c.fault(fmt.Sprintf("required is %d, but from names %d", p.Required, len(seen)), "nobody could ever open this gate", at("approval", "required")...)
	}
	for k, who := range p.Ask {
		c.who(who, at("approval", "ask", k)...)
		if kind, _, _ := subject.Split(who); kind == subject.Token && !slices.Equal(p.Ask, p.From) { // from is the default of ask
			c.fault("a token cannot be asked", "name people or groups", at("approval", "ask", k)...)
		}
	}
	for _, who := range words.Keys(p.AtLeast) {
		c.who(who, at("approval", "atLeast", who)...)
		if p.AtLeast[who] > p.Required && p.Required > 0 {
			c.fault(fmt.Sprintf("atLeast asks %d of %s, but required is %d", p.AtLeast[who], who, p.Required), "raise required", at("approval", "atLeast", who)...)
		}
	}
	c.approvalJira(p.Jira, at)
	told := map[int]bool{}
	for k, text := range p.RemindAt {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
		if text == "" {
			continue
		}
		if err != nil || text != strconv.Itoa(n)+"%" || n < 1 || n > 99 {
			c.fault("remindAt cannot be "+words.Quoted(text), "write a part of the time limit, from 1% to 99%", at("approval", "remindAt", k)...)
		} else if told[n] {
			c.fault(text+" is given twice", "remove one of them", at("approval", "remindAt", k)...)
		}
		told[n] = true
	}
}

// issueKey is the form of an issue's key.
var issueKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*-[0-9]+$`)

// approvalJira checks how a gate is answered in Jira; nil: it is not.
func (c *checker) approvalJira(j *workflows.JiraApproval, at func(...any) []any) {
	if j == nil {
		return
	}
	if strings.EqualFold(j.Status, j.RejectedStatus) {
		c.fault("status and rejectedStatus are the same", "approving and rejecting need statuses of their own", at("approval", "jira")...)
	}
	if j.Issue != "" && !strings.Contains(j.Issue, "#{") && !issueKey.MatchString(j.Issue) {
		c.fault("issue cannot be "+words.Quoted(j.Issue), "write a key such as OPS-12, or a variable that holds one: #{variables.change}", at("approval", "jira", "issue")...)
	}
}
