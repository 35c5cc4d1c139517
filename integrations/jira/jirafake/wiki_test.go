package jirafake

import "testing"

// U20: a ticket's page shows what is sent to Jira as Jira would, and nothing
// that a commit says becomes markup of the page.
func TestThePageOfATicket(t *testing.T) {
	for text, want := range map[string]string{
		"*Stage:* Production\n*Error:* exit 3\n":                                        "<p><b>Stage:</b> Production<br><b>Error:</b> exit 3</p>",
		"[webshop#45|https://r.example/executions/1?a=1&b=2]":                           `<p><a href="https://r.example/executions/1?a=1&amp;b=2">webshop#45</a></p>`,
		`"Fix the \[cart\] \*now\*" by \{me\}`:                                          "<p>&#34;Fix the [cart] *now*&#34; by {me}</p>",
		"a\n\n{noformat}\n*no* [b|https://x]\n<i>\n{noformat}\n\nOpened by rollcall.\n": "<p>a</p><pre>*no* [b|https://x]\n&lt;i&gt;</pre><p>Opened by rollcall.</p>",
		"[x|javascript:alert(1)] <script>":                                              "<p>[x|javascript:alert(1)] &lt;script&gt;</p>",
		"[a \\] b|https://x/\"onclick=]":                                                `<p><a href="https://x/&#34;onclick=">a ] b</a></p>`,
		`\\`:                                                                            `<p>\</p>`,
		"2 * 3 * 4, C:\\dir":                                                            "<p>2 * 3 * 4, C:\\dir</p>",
	} {
		if got := wiki(text); got != want {
			t.Errorf("%q is drawn as\n%s, want\n%s", text, got, want)
		}
	}
}
