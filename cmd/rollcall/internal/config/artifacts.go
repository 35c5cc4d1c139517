package config

import (
	"cmp"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/words"
)

// AWSArtifacts is where artifacts are kept in S3.
type AWSArtifacts struct {
	Bucket  string               `yaml:"bucket"`
	KMSKey  string               `yaml:"kmsKey"`
	Prefix  string               `yaml:"prefix"`
	Account string               `yaml:"account"`
	Regions map[string]AWSBucket `yaml:"regions"`
}

// AWSBucket is a bucket, and the key that its objects are encrypted with.
type AWSBucket struct {
	Bucket string `yaml:"bucket"`
	KMSKey string `yaml:"kmsKey"`
}

var (
	bucketForm  = form(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixForm  = form(`^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*$`)
	accountForm = form(`^\d{12}$`)
	keyForm     = form(`^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[\w/-]+|alias/[\w/-]+|(mrk-)?[0-9a-f-]{32,36})$`)
)

// checkArtifacts looks at where artifacts are kept.
func (d *decoder) checkArtifacts(a *AWS) {
	if a == nil || a.Artifacts == nil {
		return
	}
	const at = "aws.artifacts"
	d.missing(at+".bucket", "the bucket that artifacts are kept in: bucket: acme-artifacts")
	of := map[string]string{} // the bucket of a Region: artifacts of two must not mix
	d.checkBucket(at, AWSBucket{Bucket: a.Artifacts.Bucket, KMSKey: a.Artifacts.KMSKey}, cmp.Or(a.Region, "its own Region"), of)
	d.matches(at+".prefix", strings.Trim(a.Artifacts.Prefix, "/"), prefixForm().MatchString, "is no beginning of a key: letters, digits and !_.*'()- between slashes", "for example rollcall")
	d.matches(at+".account", a.Artifacts.Account, accountForm().MatchString, "is no account of AWS", "12 digits: 111122223333")
	for _, region := range words.Keys(a.Artifacts.Regions) { // in order, so that a fault is always the same one's
		b := a.Artifacts.Regions[region]
		path := at + ".regions." + region
		if !regionForm().MatchString(region) {
			d.problem(d.at(path), at+".regions: "+words.Quoted(region)+" is not a Region of AWS", "for example us-east-1")
		}
		if region == a.Region {
			d.problem(d.at(path), at+".regions: "+region+" is aws.region, whose bucket is "+at+".bucket", "remove it here")
		}
		d.missing(path+".bucket", "the bucket of that Region")
		d.checkBucket(path, b, region, of)
	}
}

func (d *decoder) checkBucket(path string, b AWSBucket, region string, of map[string]string) {
	d.matches(path+".bucket", b.Bucket, bucketForm().MatchString, "is no name of a bucket", "3 to 63 of a-z, 0-9, dot and hyphen; not an ARN")
	d.matches(path+".kmsKey", b.KMSKey, keyForm().MatchString, "is no key of KMS", "for example alias/artifacts, or the ARN of a key")
	if parts := strings.Split(b.KMSKey, ":"); len(parts) > 3 && regionForm().MatchString(region) && parts[3] != region {
		d.problem(d.at(path+".kmsKey"), path+".kmsKey is a key of "+parts[3]+", and the bucket is in "+region, "S3 encrypts with keys of its own Region")
	}
	if other, taken := of[b.Bucket]; taken && b.Bucket != "" {
		d.problem(d.at(path+".bucket"), "the bucket "+b.Bucket+" cannot be in "+other+" and in "+region, "name one per Region")
	}
	of[b.Bucket] = region
}

// matches checks the form of a value that is given.
func (d *decoder) matches(path, value string, is func(string) bool, fault, hint string) {
	if d.nodes[path] != nil && !is(value) {
		d.problem(d.at(path), path+" "+fault, hint)
	}
}
