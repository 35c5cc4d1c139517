package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/rollcall-bot/rollcall/workflows/compare"
	"github.com/rollcall-bot/rollcall/workflows/words"
)

// Compare returns what differs between two executions.
func (c *Client) Compare(ctx context.Context, a, b string) (diff compare.Comparison, err error) {
	err = c.Do(ctx, http.MethodGet, "compare?"+url.Values{"a": {a}, "b": {b}}.Encode(), nil, &diff)
	return diff, err
}

// Comparison prints two executions side by side: only what differs.
func (p Printer) Comparison(c *compare.Comparison) {
	rows := p.differences(c)
	if len(rows) == 0 {
		p.say("%s and %s do not differ", c.A.Ref(), c.B.Ref())
		return
	}
	p.table(append([][]string{{"WHAT", "NAME", c.A.Ref(), c.B.Ref()}}, rows...)...)
}

// differences are the rows of a comparison, the first one of each list with what it lists.
func (p Printer) differences(c *compare.Comparison) (rows [][]string) {
	for _, list := range []struct {
		what    string
		all     []compare.Difference
		shorten func(string) string
	}{{"outcome", c.Outcomes, nil}, {"revision", c.Revisions, words.Revision}, {"definition", c.Definition, nil},
		{"variable", c.Variables, nil}, {"artifact", c.Artifacts, p.digest}, {"duration", c.Durations, nil}} {
		for _, d := range list.all {
			for _, side := range []*string{&d.A, &d.B} {
				if list.shorten != nil {
					*side = list.shorten(*side)
				}
				if *side == "" {
					*side = "-"
				}
			}
			rows = append(rows, []string{list.what, d.Name, d.A, d.B})
		}
	}
	return rows
}

// digest is a digest as far as people compare one; -o wide shows it whole.
func (p Printer) digest(d string) string {
	if p.Wide {
		return d
	}
	return d[:min(12, len(d))]
}
