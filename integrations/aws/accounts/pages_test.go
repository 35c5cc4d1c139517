package accounts

import (
	"errors"
	"slices"
	"testing"
)

// Every page is asked for once, with the token of the one before; an error ends it.
func TestPages(t *testing.T) {
	type page struct{ name, next string }
	broken := errors.New("throttled")
	for _, c := range []struct {
		name   string
		answer map[string]page // by token; the first has none
		most   int             // pages that are read
		want   []string
		err    error
	}{
		{"one page", map[string]page{"": {name: "a"}}, 9, []string{"a"}, nil},
		{"three pages", map[string]page{"": {"a", "2"}, "2": {"b", "3"}, "3": {name: "c"}}, 9, []string{"a", "b", "c"}, nil},
		{"no more than are read are asked for", map[string]page{"": {"a", "2"}, "2": {"b", "3"}}, 2, []string{"a", "b"}, nil},
		{"the second fails", map[string]page{"": {"a", "2"}}, 9, []string{"a"}, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			var failed error
			asked := 0
			for p, err := range Pages(func(token *string) (page, error) {
				asked++
				key := ""
				if token != nil {
					key = *token
				}
				p, ok := c.answer[key]
				if !ok {
					return page{}, broken
				}
				return p, nil
			}, func(p page) *string { return &p.next }) {
				if err != nil {
					failed = err
					continue
				}
				if got = append(got, p.name); len(got) == c.most {
					break
				}
			}
			calls := len(got)
			if c.err != nil {
				calls++
			}
			if !slices.Equal(got, c.want) || !errors.Is(failed, c.err) || asked != calls {
				t.Errorf("%v, %v, %d calls", got, failed, asked)
			}
		})
	}
}
