package workflows

import "encoding/json"

// Finding says why something failed outside and what to do about it. Who makes
// it masks secrets, and cuts every text to 300 characters.
type Finding struct {
	// Class is what kind of fault it is, whatever the service calls it:
	// AccessDenied|Credentials|Trust|MissingArtifact|KMS|Throttled|Quota|Conflict|
	// NotFound|Validation|BuildSpec|CommandFailed|HealthCheck|ExternalRollback|Timeout|Network|ServiceFault.
	Class string   `json:"class"`
	Title string   `json:"title"`           // "CodeBuild may not read the artifact"
	Cause string   `json:"cause,omitempty"` // one sentence: who lacks what, where
	Fix   []string `json:"fix,omitempty"`   // steps, in their order
	// Statement is what a fix of permissions adds to a policy, as JSON.
	Statement json.RawMessage `json:"statement,omitempty"`
	// Evidence are the texts from outside that it rests on.
	Evidence []struct {
		From string `json:"from"` // "CodeBuild phase DOWNLOAD_SOURCE"
		Text string `json:"text"`
	} `json:"evidence,omitempty"`
	// Links are the pages that show more.
	Links []struct {
		Title string `json:"title"`
		URL   string `json:"url"`
	} `json:"links,omitempty"`
	Retry string `json:"retry,omitempty"` // whether trying again helps: now|afterFix|never
}
