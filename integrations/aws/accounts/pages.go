package accounts

import "iter"

// Pages returns the answers of an operation that answers page by page. ask gets the
// token of a page, nil for the first; next is the token of the page after one, nil or
// empty where there is none. An error is the last that is yielded.
//
// It stands in place of the SDK's paginators: they take a client as an interface, and
// an interface may keep operations in the binary that nobody calls.
func Pages[Out any](ask func(token *string) (Out, error), next func(Out) *string) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		for token, more := (*string)(nil), true; more; more = token != nil && *token != "" {
			out, err := ask(token)
			if !yield(out, err) || err != nil {
				return
			}
			token = next(out)
		}
	}
}
