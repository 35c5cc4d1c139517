package words

import (
	"fmt"
	"testing"
)

func TestLogAttrs(t *testing.T) {
	for want, got := range map[string][]any{
		"[pipeline webshop]":                                               LogAttrs("webshop"),
		"[pipeline webshop execution webshop#42]":                          LogAttrs("webshop#42"),
		"[pipeline webshop execution webshop#42 action Production/Deploy]": LogAttrs("webshop#42", "Production", "Deploy"),
		"[pipeline webshop execution webshop#43]":                          LogAttrs("webshop#43", "", ""),
		"[pipeline webshop execution webshop#43 stage Production]":         LogAttrs("webshop#43", "Production", ""),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}
