package codepipeline

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rollcall-bot/rollcall/workflows/spec/cloudformation"
)

// Where an overlay travels: in a template as readable metadata of the resource;
// beside a declaration in tags, since AWS refuses every key that it does not
// know. A tag's value has at most 256 characters of few kinds, so there the
// overlay is deflated, written in base64, and cut over as many tags as it takes.
const (
	metadataKey = "Rollcall"
	tagPrefix   = "rollcall:"
	tagValue    = 256
	mostTags    = 50
	mostKept    = 1 << 20 // bytes that tags may unfold to
)

// tag is a tag in the form of create-pipeline.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// packed is an overlay as tags.
func packed(over map[string]any) ([]tag, error) {
	text, err := json.Marshal(over)
	if err != nil {
		return nil, fmt.Errorf("pack what AWS has no place for: %w", err)
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("pack what AWS has no place for: %w", err)
	}
	if _, err = w.Write(text); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack what AWS has no place for: %w", err)
	}
	rest := base64.RawURLEncoding.EncodeToString(small.Bytes())
	var tags []tag
	for rest != "" {
		n := min(len(rest), tagValue)
		tags = append(tags, tag{tagPrefix + strconv.Itoa(len(tags)+1), rest[:n]})
		rest = rest[n:]
	}
	if len(tags) > mostTags {
		return nil, fmt.Errorf("what AWS has no place for needs %d tags, and a pipeline has at most %d", len(tags), mostTags)
	}
	return tags, nil
}

// unpacked is the overlay of the tags that export has made; nil without any.
func unpacked(tags map[string]string) (map[string]any, error) {
	var text strings.Builder
	for n := 1; tags[tagPrefix+strconv.Itoa(n)] != ""; n++ {
		text.WriteString(tags[tagPrefix+strconv.Itoa(n)])
	}
	if text.Len() == 0 {
		return nil, nil
	}
	damaged := "the tags that begin with " + tagPrefix + " are not whole: %w"
	small, err := base64.RawURLEncoding.DecodeString(text.String())
	if err != nil {
		return nil, fmt.Errorf(damaged, err)
	}
	whole, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(small)), mostKept+1))
	if err == nil && len(whole) > mostKept {
		err = errors.New("they hold too much")
	}
	if err != nil {
		return nil, fmt.Errorf(damaged, err)
	}
	var over map[string]any
	d := json.NewDecoder(bytes.NewReader(whole))
	d.UseNumber()
	if err := d.Decode(&over); err != nil {
		return nil, fmt.Errorf(damaged, err)
	}
	return over, nil
}

// kept is the overlay that came with what is imported, and where it is.
func (i *importer) kept() (over map[string]any, at *cloudformation.Value, err error) {
	if i.metadata != nil && i.metadata.Kind == cloudformation.Map {
		m, _ := plain(i.metadata).(map[string]any)
		return m, i.metadata, nil
	}
	tags := map[string]string{}
	if i.tags != nil {
		for _, t := range i.tags.Items {
			tags[t.Get("key").String()] = t.Get("value").String()
		}
	}
	over, err = unpacked(tags)
	return over, i.tags, err
}

// plain is a value of a file as JSON's values.
func plain(v *cloudformation.Value) any {
	switch v.Kind {
	case cloudformation.Map:
		out := map[string]any{}
		for _, e := range v.Entries {
			out[e.Key] = plain(e.Value)
		}
		return out
	case cloudformation.List:
		out := []any{}
		for _, item := range v.Items {
			out = append(out, plain(item))
		}
		return out
	case cloudformation.Scalar:
		text := literal("", v)
		if v.Plain && text[0] != '"' {
			if text == "true" || text == "false" {
				return text == "true"
			}
			return json.Number(text)
		}
		return v.Text
	}
	return nil
}
