package transport

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWhenATokenEnds(t *testing.T) {
	want := time.Date(2026, 12, 24, 10, 0, 0, 0, time.UTC)
	for header, ends := range map[string]time.Time{"2026-12-24 10:00:00 UTC": want, "2026-12-24 12:00:00 +0200": want, "": {}, "soon": {}} {
		for _, status := range []int{200, 401, 404} {
			hub := answering(func() *http.Response {
				return &http.Response{StatusCode: status, Header: http.Header{"Github-Authentication-Token-Expiration": {header}}, Body: io.NopCloser(strings.NewReader("{}"))}
			})
			got, refused, err := Ends(t.Context(), hub, "https://ghe.acme.example/api/v3/", "secret-token")
			if err != nil || !got.Equal(ends) || refused != (status == 401) {
				t.Errorf("%q with %d: %s, %v, %v", header, status, got, refused, err)
			}
		}
	}
}
