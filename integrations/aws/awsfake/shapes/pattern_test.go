package shapes

import "testing"

// A pattern that Go cannot use is not checked: there are few, and here they are.
func TestPatternsThatAreNotChecked(t *testing.T) {
	known := map[string]bool{"lambda S3Bucket": true, "lambda Alias": true} // they look ahead or behind
	for _, service := range Services() {
		for name, s := range Of(service).Shapes {
			if s.pattern != nil && s.pattern() == nil && !known[service+" "+name] {
				t.Errorf("the pattern of %s %s does not compile: %s", service, name, s.Pattern)
			}
		}
	}
}
