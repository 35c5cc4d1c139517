package slack

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/rollcall-bot/rollcall/integrations/wire"
)

// System is Slack for those who count calls: by the Web API's methods.
func System() wire.System {
	return wire.System{Name: "slack", Operation: operation, Refused: refused}
}

// operation is the method, which is the end of the path; what is no method is a
// response URL, whose path is a secret.
func operation(r *http.Request) string {
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if !strings.Contains(r.URL.Path, "/api/") || !strings.Contains(name, ".") {
		return "response_url"
	}
	return name
}

// refused says whether the Web API, which answers with 200 whatever happens, said no. It looks at the
// beginning of the answer, where ok is, and leaves it to be read.
func refused(resp *http.Response) bool {
	answer := bufio.NewReaderSize(resp.Body, 64)
	begins, _ := answer.Peek(len(`{"ok":false`))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{answer, resp.Body}
	return bytes.Equal(begins, []byte(`{"ok":false`))
}
