// Package artifacts keeps artifacts in S3, as zips that AWS's services read: by
// content, so that nothing is ever overwritten.
package artifacts

import "fmt"

// Object is an artifact as an object in S3.
type Object struct {
	Region  string // of its bucket
	Bucket  string
	Key     string
	Version string // of the object; empty: its newest
	Digest  string // lower-case hex SHA-256 of its bytes; empty: not known
	Size    int64  // bytes
	KMSKey  string // whoever writes it encrypts it with that key; empty: as the bucket does by itself
}

// At is where it is, as workflows.Artifact says it: "s3://bucket/key?versionId=V".
func (o Object) At() string {
	at := "s3://" + o.Bucket + "/" + o.Key
	if o.Version != "" {
		at += "?versionId=" + o.Version
	}
	return at
}

// MissingError says that an artifact is not where it should be, or not what it should be.
type MissingError struct {
	Artifact string // its name
	At       string // where it should be
	Why      string // half a sentence: "a rule that removes old objects may have removed it"
}

// Error names the artifact, its key and why.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the artifact %s is not at %s: %s", e.Artifact, e.At, e.Why)
}
