package githubfake

import (
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const style = `:root{color-scheme:light dark;--line:#d1d9e0;--soft:#59636e;--good:#1a7f37;--bad:#d1242f;--busy:#9a6700}
@media(prefers-color-scheme:dark){:root{--line:#3d444d;--soft:#9198a1;--good:#3fb950;--bad:#f85149;--busy:#d29922}}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
ul{list-style:none;padding:0;margin:0;border:1px solid var(--line);border-radius:6px}li{padding:.6rem 1rem}li+li{border-top:1px solid var(--line)}
.soft{color:var(--soft)}.success,.approved{color:var(--good)}.failure,.error,.rejected{color:var(--bad)}.pending,.queued,.in_progress{color:var(--busy)}.inactive{color:var(--soft)}code{font-size:.85em}`

// Page serves a repository as people see it on GitHub: its environments with
// their deployments, the statuses and checks of its commits, and the comments
// on its pull requests.
func (s *Server) Page(repository string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write([]byte(s.page(repository))) // the reader may be gone
	})
}

// page draws the repository. html/template would cost the binary half a megabyte for it.
func (s *Server) page(repository string) string {
	var b strings.Builder
	name := html.EscapeString(repository)
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>` + name + "</title><style>" + style + "</style><main><h1>" + name + "</h1>")
	s.drawDeployments(&b, repository)
	s.drawCommits(&b, repository)
	s.drawComments(&b, repository)
	b.WriteString("</main></html>")
	return b.String()
}

// section draws a heading and a list; of an empty one, what would be there.
func section(b *strings.Builder, title, empty string, rows []string) {
	b.WriteString("<section><h2>" + title + "</h2>")
	if len(rows) == 0 {
		b.WriteString(`<p class="soft">` + empty + "</p></section>")
		return
	}
	b.WriteString("<ul>")
	for _, row := range rows {
		b.WriteString("<li>" + row + "</li>")
	}
	b.WriteString("</ul></section>")
}

// state draws a state: its word, with a mark for those who see no colour.
func state(word string) string {
	mark := map[string]string{"success": "✓", "failure": "✗", "error": "✗", "pending": "●", "in_progress": "●", "queued": "●"}[word]
	return strings.TrimSpace(`<strong class="` + html.EscapeString(word) + `">` + mark + " " + html.EscapeString(strings.ReplaceAll(word, "_", " ")) + "</strong>")
}

// link is a text that leads somewhere, where an address is known.
func link(address, text string) string {
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		return html.EscapeString(text)
	}
	return `<a href="` + html.EscapeString(address) + `">` + html.EscapeString(text) + "</a>"
}

func at(t time.Time) string {
	return ` <span class="soft">` + t.UTC().Format("2006-01-02 15:04:05 UTC") + "</span>"
}

// commit is a commit of the repository, whose page is below that of the repository.
func commit(repository, sha string) string {
	_, name, _ := strings.Cut(repository, "/")
	return `<a href="` + html.EscapeString(name+"/commit/"+sha) + `"><code>` + html.EscapeString(sha[:min(7, len(sha))]) + "</code></a>"
}

func (s *Server) drawDeployments(b *strings.Builder, repository string) {
	var rows []string
	for _, d := range slices.Backward(s.Deployments()) {
		if d.Repository != repository {
			continue
		}
		row := "<strong>" + html.EscapeString(d.Environment) + "</strong> " + commit(repository, d.SHA) + " " + html.EscapeString(d.Task)
		if n := len(d.Statuses); n > 0 {
			last := d.Statuses[n-1]
			row += " " + state(last.State) + " " + html.EscapeString(last.Description) + " " + link(last.LogURL, "log") + at(last.CreatedAt)
		}
		rows = append(rows, row)
	}
	section(b, "Deployments", "There are no deployments.", rows)
}

func (s *Server) drawCommits(b *strings.Builder, repository string) {
	var shas []string
	newest := map[string][]Status{} // by commit: the newest of each context
	for _, st := range slices.Backward(s.Statuses("")) {
		if st.Repository != repository || slices.ContainsFunc(newest[st.SHA], func(known Status) bool { return known.Context == st.Context }) {
			continue
		}
		if newest[st.SHA] == nil {
			shas = append(shas, st.SHA)
		}
		newest[st.SHA] = append(newest[st.SHA], st)
	}
	var rows []string
	for _, sha := range shas {
		for _, st := range newest[sha] {
			rows = append(rows, commit(repository, sha)+" "+html.EscapeString(st.Context)+" "+state(st.State)+" "+html.EscapeString(st.Description)+" "+link(st.TargetURL, "details")+at(st.CreatedAt))
		}
	}
	section(b, "Commit statuses", "No commit has a status.", rows)
	rows = nil
	for _, c := range slices.Backward(s.CheckRuns("")) {
		if c.Repository == repository {
			rows = append(rows, commit(repository, c.HeadSHA)+" "+html.EscapeString(c.Name)+" "+html.EscapeString(c.Status)+" "+state(c.Conclusion)+" "+link(c.DetailsURL, c.Output.Title)+"<br>"+lines(c.Output.Summary))
		}
	}
	if len(rows) > 0 {
		section(b, "Checks", "", rows)
	}
}

func (s *Server) drawComments(b *strings.Builder, repository string) {
	var rows []string
	for _, c := range s.Comments(repository, 0) {
		edited := ""
		if c.Edits > 0 {
			edited = ` <span class="soft">edited</span>`
		}
		rows = append(rows, "<strong>"+html.EscapeString(c.User.Login)+"</strong> on #"+strconv.Itoa(c.Number)+at(c.CreatedAt)+edited+"<br>"+lines(c.Body))
	}
	section(b, "Comments on pull requests", "Nobody has commented.", rows)
}

// lines draws Markdown as its lines, without what GitHub hides.
func lines(markdown string) string {
	for {
		from := strings.Index(markdown, "<!--")
		if from < 0 {
			return strings.ReplaceAll(html.EscapeString(strings.TrimSpace(markdown)), "\n", "<br>")
		}
		to := strings.Index(markdown[from:], "-->")
		if to < 0 {
			to = len(markdown) - from - 3
		}
		markdown = markdown[:from] + markdown[from+to+3:]
	}
}
