package bot_test

import "testing"

// U11: a refusal writes a name as it is, so that it can be copied.
func TestARefusalWritesNamesAsTheyAre(t *testing.T) {
	story(t, shop, func(t *testing.T, h *fixture) {
		h.released("1")
		for text, words := range map[string]string{
			"stop webshop#1":            "webshop#1 has ended",
			"start webshop Note=x":      "webshop has no variable Note",
			"rollback webshop Nope":     "no stage Nope",
			"status Webshops#1":         "Webshops#1",
			"approve webshop#1 SignOff": "SignOff of webshop#1 was approved",
		} {
			h.says(h.ana, text)
			h.hears(h.ana, words)
		}
	})
}
