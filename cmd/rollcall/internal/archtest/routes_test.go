package archtest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	routeIs = regexp.MustCompile(`"(GET|POST|PUT|PATCH|DELETE) (/[^"]*)"`)
	routeOf = regexp.MustCompile(`"(GET|POST|PUT|PATCH|DELETE) ?"\s*\+\s*[Ww]ebhookPath`)
	pathIs  = regexp.MustCompile(`[Ww]ebhookPath\s*=\s*"([^"]*)"`)
	rowIs   = regexp.MustCompile("(?m)^\\| (GET|POST|PUT|PATCH|DELETE) \\| `([^`]+)` \\|")
)

// D: docs/api.md has every route that the service serves, once, and no other.
func TestTheManualHasEveryRoute(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var served, told []string
	for _, s := range sources(t, false) {
		if s.pkg != "web" && (!within(s.pkg, "integrations") || strings.Count(s.pkg, "/") > 1) {
			continue // a vendor's double serves the vendor's routes
		}
		for _, r := range routeIs.FindAllStringSubmatch(s.text, -1) {
			served = append(served, r[1]+" "+r[2])
		}
		for _, r := range routeOf.FindAllStringSubmatch(s.text, -1) {
			served = append(served, r[1]+" "+pathIs.FindStringSubmatch(s.text)[1])
		}
	}
	for _, r := range rowIs.FindAllStringSubmatch(string(page), -1) {
		told = append(told, r[1]+" "+r[2])
	}
	slices.Sort(served)
	slices.Sort(told)
	if len(served) < 25 {
		t.Errorf("only %d routes were found in the code: %s", len(served), served)
	}
	for _, r := range served {
		if !slices.Contains(told, r) {
			t.Errorf("docs/api.md lacks %s", r)
		}
	}
	for i, r := range told {
		if !slices.Contains(served, r) {
			t.Errorf("docs/api.md has %s, which nothing serves", r)
		}
		if i > 0 && told[i-1] == r {
			t.Errorf("docs/api.md has %s twice", r)
		}
	}
}
