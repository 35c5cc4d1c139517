package jirafake

import (
	"html"
	"net/http"
	"strings"
)

const style = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}pre{white-space:pre-wrap;background:light-dark(#f4f5f7,#22272b);padding:1rem}`

// browse is the page that people open from chat.
func (s *Server) browse(w http.ResponseWriter, r *http.Request) {
	i, ok := s.Issue(r.PathValue("key"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// The reader may be gone.
	_, _ = w.Write([]byte(i.page(s.RemoteLinks(i.Key))))
}

// page draws the issue. html/template would cost the binary half a megabyte for this one page.
func (i *Issue) page(remote []RemoteLink) string {
	var b strings.Builder
	key, summary := html.EscapeString(i.Key), html.EscapeString(i.Summary)
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>` + key + " " + summary + "</title>\n<style>" + style + "</style>\n<p>")
	b.WriteString(html.EscapeString(i.Project) + " · " + html.EscapeString(i.Type) + " · <strong>" + html.EscapeString(i.Status) + "</strong>")
	for _, l := range i.Labels {
		b.WriteString(" · " + html.EscapeString(l))
	}
	b.WriteString("</p>\n<h1>" + key + ": " + summary + "</h1>" + wiki(i.Description) + "\n")
	i.drawLinks(&b, remote)
	for _, c := range i.Comments {
		b.WriteString("<h2>Comment</h2>" + wiki(c))
	}
	b.WriteString("</html>")
	return b.String()
}

// drawLinks draws the links to other issues and to pages elsewhere.
func (i *Issue) drawLinks(b *strings.Builder, remote []RemoteLink) {
	if len(i.Links)+len(remote) == 0 {
		return
	}
	b.WriteString("<h2>Links</h2><ul>")
	for _, l := range i.Links {
		b.WriteString("<li>" + html.EscapeString(l.Type) + ` <a href="` + html.EscapeString(l.Key) + `">` + html.EscapeString(l.Key) + "</a></li>")
	}
	for _, l := range remote {
		title := html.EscapeString(l.Title)
		if strings.HasPrefix(l.URL, "http://") || strings.HasPrefix(l.URL, "https://") {
			title = `<a href="` + html.EscapeString(l.URL) + `">` + title + "</a>"
		}
		b.WriteString("<li>" + title + " " + html.EscapeString(l.Summary) + "</li>")
	}
	b.WriteString("</ul>")
}
