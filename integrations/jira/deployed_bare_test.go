package jira

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A Jira without remote links, or without edits of comments, says in comments where
// issues are; one without comments in links.
func TestIssuesSayWhereTheyAreWithWhatJiraHas(t *testing.T) {
	for _, call := range []string{`/remotelink$`, `PUT .*/comment/`, `GET .*/comment$`, `POST .*/comment$`, `serverInfo|myself|search|createmeta| /rest/api/3/`} {
		for _, how := range lacking {
			if how.status == 200 || how.status == 400 && strings.HasPrefix(call, "PUT") {
				continue
			}
			t.Run(fmt.Sprint(call, how.status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newReleases(t)
					how.next, how.lacks = r.line, regexp.MustCompile(call)
					r.line = &how
					keys := r.open(1)
					r.release(42, true, keys...)
					r.follow(2 * time.Minute)
					r.release(43, true, keys...)
					r.follow(2 * time.Minute)
					i, _ := r.jira.Issue(keys[0])
					edits := !strings.HasPrefix(call, "PUT") || how.status != 500 // that may pass
					if all := strings.Join(i.Comments, "\n"); !strings.HasPrefix(call, "POST") && edits && (!strings.Contains(all, "webshop#43") || len(i.Comments) > 2) {
						t.Errorf("comments %q", i.Comments)
					}
					if call != `/remotelink$` && r.link(keys[0]).Title != "production: webshop#43 deployed" {
						t.Errorf("link %+v", r.link(keys[0]))
					}
				})
			})
		}
	}
}
