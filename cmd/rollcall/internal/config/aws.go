package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/roles"
	"github.com/rollcall-bot/rollcall/workflows"
	"github.com/rollcall-bot/rollcall/workflows/access"
	"github.com/rollcall-bot/rollcall/workflows/source"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

const (
	bridgeProvider = "aws-codepipeline"
	usualPoll      = time.Minute
	shortestPoll   = 3 * time.Second
)

// AWS is where AWS is and who rollcall is there, and where connections lead that AWS keeps.
type AWS struct {
	Region      string                `yaml:"region"`
	RoleARN     string                `yaml:"roleArn"`
	EndpointURL string                `yaml:"endpointURL"`
	Roles       map[string]AWSRole    `yaml:"roles"`       // by ARN, or by a pattern of package roles
	Connections map[string]Connection `yaml:"connections"` // by ARN
	Events      AWSEvents             `yaml:"events"`
	Artifacts   *AWSArtifacts         `yaml:"artifacts"` // nil: artifacts stay in the data folder
	Publish     AWSPublish            `yaml:"publish"`
	ECSGates    []ECSGate             `yaml:"ecsGates"`
}

// AWSRole is what a role's trust policy wants.
type AWSRole struct {
	ExternalID     Secret `yaml:"externalId"`
	SourceIdentity bool   `yaml:"sourceIdentity"`
}

// AWSEvents is the queue that EventBridge tells its events to.
type AWSEvents struct {
	QueueURL string `yaml:"queueURL"`
}

// AWSPublish is what AWS is told of pipelines that run here.
type AWSPublish struct {
	Metrics   string `yaml:"metrics"` // namespace of CloudWatch
	Events    string `yaml:"events"`  // bus of EventBridge, by name or ARN
	Approvals bool   `yaml:"approvals"`
}

// Connection is where a CodeStarSourceConnection leads: its ARN does not say.
type Connection struct {
	CloneURL string `yaml:"cloneURL"`
	Token    Secret `yaml:"token"`
}

// Bridge is a role that sees, or steers, pipelines that stay in AWS CodePipeline.
type Bridge struct {
	Name             string            `yaml:"name"`
	Provider         string            `yaml:"provider"`
	Region           string            `yaml:"region"`
	RoleARN          string            `yaml:"roleArn"`
	Mode             string            `yaml:"mode"`
	OutsideApprovals string            `yaml:"outsideApprovals"`
	Poll             time.Duration     `yaml:"poll"`
	Pipelines        []BridgedPipeline `yaml:"pipelines"`
}

// BridgedPipeline is a pipeline of a bridge, and what rollcall adds to it.
type BridgedPipeline struct {
	Name         string                    `yaml:"name"` // in AWS
	As           string                    `yaml:"as"`   // here
	Channel      string                    `yaml:"channel"`
	Owners       []string                  `yaml:"owners"`
	Environments map[string]string         `yaml:"environments"` // by stage
	Approvals    map[string]BridgeApproval `yaml:"approvals"`    // by "STAGE/ACTION"
	Ticket       *BridgeTicket             `yaml:"ticket"`
	Rollback     BridgeRollback            `yaml:"rollback"`
}

// BridgeApproval is the policy of an approval, as the key `approval` of a pipeline file has it.
type BridgeApproval struct {
	From                []string         `yaml:"from"`
	Ask                 []string         `yaml:"ask"`
	Required            int64            `yaml:"required"`
	AtLeast             map[string]int64 `yaml:"atLeast"`
	RequesterMayApprove bool             `yaml:"requesterMayApprove"`
	Comment             string           `yaml:"comment"`
	RemindAt            []string         `yaml:"remindAt"`
}

// BridgeTicket is where a failure's ticket goes, as in a pipeline file.
type BridgeTicket struct {
	Project        string   `yaml:"project"`
	IssueType      string   `yaml:"issueType"`
	Labels         []string `yaml:"labels"`
	Components     []string `yaml:"components"`
	Priority       string   `yaml:"priority"`
	Stages         []string `yaml:"stages"`
	CloseOnSuccess string   `yaml:"closeOnSuccess"`
	ReopenWithin   string   `yaml:"reopenWithin"`
	LogTail        int64    `yaml:"logTail"`
	MaxPerHour     int64    `yaml:"maxPerHour"` // 0: 10
}

// BridgeRollback says which rollbacks lock a stage.
type BridgeRollback struct {
	Lock string `yaml:"lock"`
}

func (c *Config) awsDefaults() {
	c.ecsGateDefaults()
	for i := range c.Bridges {
		b := &c.Bridges[i]
		or(&b.Provider, bridgeProvider)
		or(&b.Mode, "watch")
		or(&b.OutsideApprovals, "tell")
		if b.Poll == 0 {
			b.Poll = usualPoll
		}
		if b.Region == "" && c.AWS != nil {
			b.Region = c.AWS.Region
		}
		for k := range b.Pipelines {
			p := &b.Pipelines[k]
			or(&p.As, p.Name)
			or(&p.Rollback.Lock, "always")
		}
	}
}

// The forms are compiled when they are first asked for: every start of the binary,
// also as the supervisor of a command, would pay for it otherwise.
var (
	regionForm = form(`^[a-z]{2,4}(-[a-z]+)+-\d+$`)
	roleForm   = form(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`)
	nameForm   = form(`^[A-Za-z0-9.@_-]{1,100}$`)

	namespaceForm = form(`^[A-Za-z0-9][A-Za-z0-9 ._/#:-]{0,254}$`)
	busForm       = form(`^(arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/)?[A-Za-z0-9._/-]{1,256}$`)
)

func form(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// checkAWS looks at the section aws, and at where connections lead.
func (d *decoder) checkAWS(a *AWS) {
	if a == nil {
		return
	}
	d.region("aws.region", a.Region)
	d.role("aws.roleArn", a.RoleARN)
	if a.EndpointURL != "" {
		d.url("aws.endpointURL", a.EndpointURL)
	}
	if a.Events.QueueURL != "" {
		d.url("aws.events.queueURL", a.Events.QueueURL)
	}
	if m := a.Publish.Metrics; m != "" && (!namespaceForm().MatchString(m) || strings.HasPrefix(m, "AWS/")) {
		d.problem(d.at("aws.publish.metrics"), fmt.Sprintf("aws.publish.metrics: %q cannot be a namespace of CloudWatch", m), "for example Rollcall; those that begin with AWS/ are AWS's own")
	}
	if bus := a.Publish.Events; bus != "" && !busForm().MatchString(bus) {
		d.problem(d.at("aws.publish.events"), fmt.Sprintf("aws.publish.events: %q names no bus of EventBridge", bus), "its name or its ARN, for example default")
	}
	if base, key := roles.Of(a.Roles, a.RoleARN); base.ExternalID.kept {
		d.problem(d.at("aws.roles."+key+".externalId"), "aws.roles: the external ID of aws.roleArn cannot be read from AWS: it is needed to get there", "write {env: NAME} or {file: PATH}")
	}
	for arn := range a.Roles {
		if !roles.Valid(arn) {
			d.problem(d.at("aws.roles."+arn), "aws.roles: "+arn+" is not the ARN of a role", roleExample+"; or of a role in every account: arn:aws:iam::*:role/deploy")
		}
	}
	if one, other := roles.Ambiguous(a.Roles); one != "" {
		d.problem(d.at("aws.roles."+other), "aws.roles: "+one+" and "+other+" cover the same roles, and neither is the narrower one", "make one of them narrower, or name such a role by its ARN")
	}
	for arn, c := range a.Connections {
		path := "aws.connections." + arn
		if service := strings.Split(arn, ":"); len(service) < 6 || service[0] != "arn" || service[2] != "codeconnections" && service[2] != "codestar-connections" {
			d.problem(d.at(path), "aws.connections: "+arn+" is not the ARN of a connection", "for example arn:aws:codeconnections:eu-west-1:111122223333:connection/0aeb…")
		}
		d.missing(path+".cloneURL", "what stands before the repository's name, for example https://bitbucket.org/")
		if fault, fix := source.Fault(c.CloneURL); fault != "" {
			d.problem(d.at(path+".cloneURL"), fault, fix)
		}
	}
}

const roleExample = "for example arn:aws:iam::111122223333:role/rollcall"

func (d *decoder) region(path, value string) {
	if d.nodes[path] != nil && value != "" && !regionForm().MatchString(value) {
		d.problem(d.at(path), path+" is not a Region of AWS", "for example eu-west-1")
	}
}

func (d *decoder) role(path, arn string) {
	if arn != "" && !roleForm().MatchString(arn) {
		d.problem(d.at(path), path+" is not the ARN of a role", roleExample)
	}
}

// oneOf checks a value against the words that there are.
func (d *decoder) oneOf(path, value string, known ...string) {
	if !slices.Contains(known, value) {
		d.problem(d.at(path), path+" cannot be "+words.Quoted(value), "write "+strings.Join(known, " or "))
	}
}

func (d *decoder) checkBridges(c *Config) {
	bridges, here := map[string]bool{}, map[string]bool{}
	for i, b := range c.Bridges {
		at := fmt.Sprintf("bridges[%d]", i)
		d.missing(at+".name", "cards and records show it: name: prod-eu")
		if b.Name != "" && !nameForm().MatchString(b.Name) {
			d.problem(d.at(at+".name"), at+".name may hold letters, digits and . @ _ - only", "")
		}
		d.differs(at+".name", "bridges", b.Name, bridges, "")
		d.oneOf(at+".provider", b.Provider, bridgeProvider)
		d.oneOf(at+".mode", b.Mode, "watch", "act")
		d.oneOf(at+".outsideApprovals", b.OutsideApprovals, "tell", "lock")
		d.region(at+".region", b.Region)
		d.role(at+".roleArn", b.RoleARN)
		if b.Poll < shortestPoll {
			d.problem(d.at(at+".poll"), fmt.Sprintf("%s.poll is shorter than %s", at, shortestPoll), "AWS allows few calls; 60s is usual")
		}
		if b.OutsideApprovals == "lock" && b.Mode == "watch" {
			d.problem(d.at(at+".outsideApprovals"), "outsideApprovals: lock changes something in AWS, and this bridge only watches", "set mode: act, or outsideApprovals: tell")
		}
		if len(b.Pipelines) == 0 {
			d.problem(d.at(at), at+" names no pipelines", "pipelines: [{name: webshop-pipeline, channel: \"#webshop\"}]")
		}
		for k, p := range b.Pipelines {
			d.checkBridged(fmt.Sprintf("%s.pipelines[%d]", at, k), p, c, here)
		}
	}
	d.checkECSGates(c, bridges, here)
}

func (d *decoder) checkBridged(at string, p BridgedPipeline, c *Config, here map[string]bool) {
	d.missing(at+".name", "its name in AWS CodePipeline")
	for key, name := range map[string]string{".name": p.Name, ".as": p.As} {
		if d.nodes[at+key] != nil && !nameForm().MatchString(name) {
			d.problem(d.at(at+key), at+key+" may hold letters, digits and . @ _ - only", "at most 100 of them")
		}
	}
	d.differs(at+".as", "bridged pipelines", p.As, here, "give one of them another name here: as: NAME")
	policy := c.Policy()
	for k, who := range p.Owners {
		d.fault(fmt.Sprintf("%s.owners[%d]", at, k), policy.CheckWho(who))
	}
	d.oneOf(at+".rollback.lock", p.Rollback.Lock, "always", "manual", "never")
	for where, a := range p.Approvals {
		path := at + ".approvals." + where
		if stage, action, ok := strings.Cut(where, "/"); !ok || stage == "" || action == "" {
			d.problem(d.at(path), at+".approvals: "+words.Quoted(where)+" is not STAGE/ACTION", "for example Production/SignOff")
		}
		d.checkApproval(path, a, policy)
	}
	if t := p.Ticket; t != nil {
		if _, err := time.ParseDuration(t.ReopenWithin); err != nil && t.ReopenWithin != "" {
			d.problem(d.at(at+".ticket.reopenWithin"), at+".ticket.reopenWithin must be a duration", "for example 168h")
		}
		if key := at + ".ticket.maxPerHour"; t.MaxPerHour < 0 || t.MaxPerHour > 1000 || t.MaxPerHour == 0 && d.nodes[key] != nil {
			d.problem(d.at(key), key+" must be from 1 to 1000", "10 without the key")
		}
	}
}

// checkApproval holds the policy of an approval to the rules of a pipeline file.
func (d *decoder) checkApproval(path string, a BridgeApproval, policy *access.Policy) {
	if a.Required < 0 || a.Required == 0 && d.nodes[path+".required"] != nil {
		d.problem(d.at(path+".required"), fmt.Sprintf("required cannot be %d", a.Required), "it is how many different people must approve, 1 or more")
	}
	for k, who := range a.From {
		if !strings.HasPrefix(who, "token:") {
			d.fault(fmt.Sprintf("%s.from[%d]", path, k), policy.CheckWho(who))
		}
	}
	for k, who := range a.Ask {
		d.fault(fmt.Sprintf("%s.ask[%d]", path, k), policy.CheckWho(who))
	}
	for who, n := range a.AtLeast {
		d.fault(path+".atLeast."+who, policy.CheckWho(who))
		if n > max(a.Required, 1) {
			d.problem(d.at(path+".atLeast."+who), fmt.Sprintf("atLeast asks %d of %s, but required is %d", n, who, max(a.Required, 1)), "raise required")
		}
	}
	if a.Comment != "" {
		d.oneOf(path+".comment", a.Comment, "optional", "required")
	}
	for k, text := range a.RemindAt {
		if n, err := strconv.Atoi(strings.TrimSuffix(text, "%")); err != nil || text != strconv.Itoa(n)+"%" || n < 1 || n > 99 {
			d.problem(d.at(fmt.Sprintf("%s.remindAt[%d]", path, k)), "remindAt cannot be "+words.Quoted(text), "write a part of the time limit, from 1% to 99%")
		}
	}
}

// Policy is the approval's policy as a definition has it, every default filled in.
func (a BridgeApproval) Policy() *workflows.ApprovalPolicy {
	p := &workflows.ApprovalPolicy{From: a.From, Ask: a.Ask, Required: int(max(a.Required, 1)), RequesterMayApprove: a.RequesterMayApprove, Comment: a.Comment, RemindAt: a.RemindAt}
	or(&p.Comment, "optional")
	if p.Ask == nil {
		p.Ask = p.From
	}
	for who, n := range a.AtLeast {
		if p.AtLeast == nil {
			p.AtLeast = map[string]int{}
		}
		p.AtLeast[who] = int(n)
	}
	return p
}
