package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestPathsFindWhatTheyName(t *testing.T) {
	doc, err := Read([]byte(`{"a":{"b c":[{"d":1.50},{"d":true}],"":"empty"},"n":null}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"$.a['b c'][0].d": json.Number("1.50"), "$['a']['b c'][1]['d']": true, "$.a['']": "empty", "$.n": nil,
	} {
		p, err := ParsePath(path)
		got, there := p.In(doc)
		if err != nil || !there || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v, error %v", path, got, there, err)
		}
	}
	for _, path := range []string{"$.a.x", "$.a[0]", "$.a['b c'][2]", "$.a['b c'].d", "$[0]", "$.n.x"} {
		p, err := ParsePath(path)
		if got, there := p.In(doc); err != nil || there {
			t.Errorf("%s: %v, error %v", path, got, err)
		}
	}
	for _, path := range []string{"", "a", "$.", "$..a", "$.a.", "$[", "$[x]", "$[-1]", "$['a", "$a", "$.a*", "$.*", "$[99999999999]", "$.a b"} {
		if p, err := ParsePath(path); err == nil {
			t.Errorf("%q is read as %v", path, p)
		}
	}
}

// A path that is read never panics, whatever it is.
func FuzzPath(f *testing.F) {
	f.Add("$.a['b'][0]")
	f.Add("$['']['")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		if _, there := p.In(map[string]any{}); there && text != "$" {
			t.Errorf("%q finds something in nothing", text)
		}
	})
}

// read is a document of a test.
func read(t *testing.T, text string) any {
	t.Helper()
	doc, err := Read([]byte(text))
	if err != nil {
		t.Fatalf("%s %v", text, err)
	}
	return doc
}

// A document fits when every key of the pattern is in it with one of the values.
func TestPatterns(t *testing.T) {
	const pushed = `{"id":"1","source":"aws.ecr","detail-type":"ECR Image Action","account":"111122223333","resources":["arn:a","arn:b"],"detail":{"action-type":"PUSH","image-tag":"v1.2","size":300,"ratio":1.50,"signed":true,"by":null,"layers":[{"n":1,"os":"linux"},{"n":2,"os":"windows"}],"none":[]}}`
	doc := read(t, pushed)
	for _, c := range []struct {
		pattern string
		fits    bool
	}{
		{`{"source":["aws.ecr"]}`, true},
		{`{"source":["aws.s3","aws.ecr"],"detail-type":["ECR Image Action"]}`, true},
		{`{"source":["aws.ecr"],"detail-type":["ECR Image Scan"]}`, false},
		{`{"source":["AWS.ECR"]}`, false},
		{`{"source":[{"equals-ignore-case":"AWS.ECR"}]}`, true},
		{`{"region":["eu-west-1"]}`, false},
		{`{"resources":["arn:b"]}`, true},
		{`{"resources":["arn:c"]}`, false},
		{`{"detail":{"action-type":["PUSH"],"image-tag":[{"prefix":"v1."}]}}`, true},
		{`{"detail":{"image-tag":[{"prefix":"v2."},{"suffix":".2"}]}}`, true},
		{`{"detail":{"image-tag":[{"prefix":"v2."}]}}`, false},
		{`{"detail":{"size":[{"prefix":"3"}]}}`, false},
		{`{"detail":{"image-tag":[{"anything-but":"latest"}]}}`, true},
		{`{"detail":{"image-tag":[{"anything-but":["latest","v1.2"]}]}}`, false},
		{`{"detail":{"image-tag":[{"anything-but":{"prefix":"rc-"}}]}}`, true},
		{`{"detail":{"image-tag":[{"anything-but":{"prefix":"v"}}]}}`, false},
		{`{"detail":{"absent":[{"anything-but":"latest"}]}}`, false},
		{`{"detail":{"absent":[{"exists":false}],"image-tag":[{"exists":true}]}}`, true},
		{`{"detail":{"image-tag":[{"exists":false}]}}`, false},
		{`{"absent":{"image-tag":[{"exists":false}]}}`, true},
		{`{"absent":{"image-tag":["v1"]}}`, false},
		{`{"detail":{"size":[300]}}`, true},
		{`{"detail":{"size":[300.0]}}`, false}, // as it is written, as in EventBridge
		{`{"detail":{"size":["300"]}}`, false},
		{`{"detail":{"size":[{"numeric":["=",3e2]}]}}`, true},
		{`{"detail":{"size":[{"numeric":[">",0,"<=",300]}]}}`, true},
		{`{"detail":{"size":[{"numeric":[">",0,"<",300]}]}}`, false},
		{`{"detail":{"ratio":[{"numeric":[">=",1.5]}]}}`, true},
		{`{"detail":{"image-tag":[{"numeric":[">",0]}]}}`, false},
		{`{"detail":{"signed":[true]}}`, true},
		{`{"detail":{"signed":["true"]}}`, false},
		{`{"detail":{"by":[null]}}`, true},
		{`{"detail":{"absent":[null]}}`, false},
		{`{"detail":["text"]}`, false},
		{`{"detail":[{"exists":true}]}`, false}, // it is about values
		{`{"source":{"nested":["x"]}}`, false},
		{`{"detail":{"layers":{"n":[2],"os":["windows"]}}}`, true},
		{`{"detail":{"layers":{"n":[1],"os":["windows"]}}}`, false}, // of one element
		{`{"detail":{"none":["x"]}}`, false},
		{`{"detail":{"none":{"x":[1]}}}`, false},
		{`{"source":["aws.ecr"],"$or":[{"account":["9"]},{"detail":{"size":[300]}}]}`, true},
		{`{"source":["aws.ecr"],"$or":[{"account":["9"]},{"detail":{"size":[301]}}]}`, false},
	} {
		p, err := ParsePattern(read(t, c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := p.Fits(doc); got != c.fits {
			t.Errorf("%s fits: %v, want %v", c.pattern, got, c.fits)
		}
	}
}

// What a pattern says wrong is said with the place where it is.
func TestPatternsThatCannotBeUnderstood(t *testing.T) {
	for pattern, want := range map[string]string{
		`[]`:                                 "[]: the pattern must hold keys and values",
		`{}`:                                 "[]: the pattern is empty: everything would fit",
		`{"detail":{}}`:                      "[detail]: the pattern is empty: everything would fit",
		`{"source":"aws.ecr"}`:               "[source]: a pattern has a list of values",
		`{"source":[]}`:                      "[source]: the list is empty: nothing would fit",
		`{"source":["a",["b"]]}`:             "[source 1]: a list stands in a list",
		`{"source":[{"prefix":1}]}`:          "[source 0 prefix]: prefix takes a text",
		`{"source":[{"prefix":""}]}`:         "[source 0 prefix]: prefix takes a text",
		`{"source":[{"prefx":"a"}]}`:         `[source 0 prefx]: there is no matcher "prefx" here`,
		`{"source":[{"cidr":"10.0.0.0/8"}]}`: `[source 0 cidr]: there is no matcher "cidr" here`,
		`{"source":[{"prefix":"a","suffix":"b"}]}`:                    "[source 0]: an entry has 2 matchers",
		`{"a":{"n":[{"exists":"yes"}]}}`:                              "[a n 0 exists]: exists is true or false",
		`{"n":[{"numeric":[">"]}]}`:                                   "[n 0 numeric]: numeric takes one or two comparisons, each with a number",
		`{"n":[{"numeric":["~",1]}]}`:                                 `[n 0 numeric 0]: "~" is no comparison`,
		`{"n":[{"numeric":[">","1"]}]}`:                               "[n 0 numeric 1]: what stands behind > is no number",
		`{"n":[{"anything-but":[]}]}`:                                 "[n 0 anything-but]: anything-but has no value",
		`{"n":[{"anything-but":[{"prefix":"a"}]}]}`:                   "[n 0 anything-but 0]: a list behind anything-but has texts and numbers",
		`{"n":[{"anything-but":{"exists":true}}]}`:                    "[n 0 anything-but]: only prefix, suffix and equals-ignore-case stand behind anything-but",
		`{"$or":[{"a":[1]}]}`:                                         "[$or]: $or must be a list of two or more patterns",
		`{"$or":[{"a":[1]},{"b":2}]}`:                                 "[$or 1 b]: a pattern has a list of values",
		strings.Repeat(`{"a":`, 20) + `[1]` + strings.Repeat(`}`, 20): "[a a a a a a a a a a a a a a a a a]: the pattern has more than 16 levels",
	} {
		_, err := ParsePattern(read(t, pattern))
		var fault *PatternError
		if !errors.As(err, &fault) || fmt.Sprint(fault.At)+": "+err.Error() != want || fault.Hint == "" {
			t.Errorf("%s: %v at %v, want %s", pattern, err, fault, want)
		}
	}
}

// Whatever a pattern and a document are, reading and fitting ends; and a pattern of
// a document's own keys and values fits it.
func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["aws.ecr"],"detail":{"n":[{"numeric":[">",1]}]}}`, `{"source":"aws.ecr","detail":{"n":2}}`)
	f.Add(`{"$or":[{"a":[null]},{"b":{"c":[{"anything-but":{"prefix":"x"}}]}}]}`, `{"b":[{"c":["y"]},7]}`)
	f.Add(`{"a":[{"exists":false}]}`, `[]`)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		value, err := Read([]byte(pattern))
		doc, err2 := Read([]byte(text))
		if err != nil || err2 != nil {
			return
		}
		p, err := ParsePattern(value)
		if err == nil {
			p.Fits(doc)
		} else if fault := (*PatternError)(nil); !errors.As(err, &fault) || fault.Message == "" || fault.Hint == "" {
			t.Errorf("%q: %v", pattern, err)
		}
		own := map[string]any{}
		object, _ := doc.(map[string]any)
		for key, v := range object {
			if s, is := v.(string); is && key != "$or" {
				own[key] = []any{s}
			}
		}
		if p, err := ParsePattern(own); err == nil && !p.Fits(doc) {
			t.Errorf("%q does not fit itself", text)
		}
	})
}
