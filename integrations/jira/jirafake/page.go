package jirafake

import (
	"html"
	"net/http"
	"strings"
)

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}pre{white-space:pre-wrap;background:#f4f5f7;padding:1rem}`

// browse is the page that people open from chat.
func (s *Server) browse(w http.ResponseWriter, r *http.Request) {
	i, ok := s.Issue(r.PathValue("key"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The reader may be gone.
	_, _ = w.Write([]byte(i.page()))
}

// page draws the issue. html/template would cost the binary half a megabyte for this one page.
func (i *Issue) page() string {
	var b strings.Builder
	key, summary := html.EscapeString(i.Key), html.EscapeString(i.Summary)
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><title>` + key + " " + summary + "</title>\n<style>" + style + "</style>\n<p>")
	b.WriteString(html.EscapeString(i.Project) + " · " + html.EscapeString(i.Type) + " · <strong>" + html.EscapeString(i.Status) + "</strong>")
	for _, l := range i.Labels {
		b.WriteString(" · " + html.EscapeString(l))
	}
	b.WriteString("</p>\n<h1>" + key + ": " + summary + "</h1>" + wiki(i.Description) + "\n")
	for _, c := range i.Comments {
		b.WriteString("<h2>Comment</h2>" + wiki(c))
	}
	b.WriteString("</html>")
	return b.String()
}
