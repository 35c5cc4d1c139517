package roles

import "testing"

const iam = "arn:aws:iam::"

// The ARN itself wins, then the narrowest pattern; another partition, account or
// name is another role.
func TestWhatIsSaidOfARole(t *testing.T) {
	said := map[string]string{
		iam + "111122223333:role/deploy": "exact", iam + "*:role/deploy": "every account", iam + "*:role/de*": "beginning", iam + "*:role/*": "all",
		iam + "444455556666:role/team/*-ci": "end", "arn:aws-cn:iam::*:role/deploy": "China",
	}
	if one, other := Ambiguous(map[string]string{iam + "*:role/de*": "", iam + "*:role/deploy": "", iam + "*:role/*": ""}); one != "" {
		t.Errorf("%s and %s are taken for ambiguous", one, other)
	}
	for arn, want := range map[string]string{
		iam + "111122223333:role/deploy":           "exact",
		iam + "444455556666:role/deploy":           "every account",
		iam + "444455556666:role/develop":          "beginning",
		iam + "444455556666:role/build":            "all",
		iam + "444455556666:role/team/web-ci":      "end",
		"arn:aws-cn:iam::444455556666:role/deploy": "China",
		"arn:aws-cn:iam::444455556666:role/build":  "",
		iam + "444455556666:user/deploy":           "",
		"deploy":                                   "",
		"":                                         "",
	} {
		got, key := Of(said, arn)
		if got != want || (key == "") != (want == "") {
			t.Errorf("of %s: %q under %q, want %q", arn, got, key, want)
		}
	}
}

// Two patterns of which neither is narrower are refused where a role may have both.
func TestAmbiguousPatterns(t *testing.T) {
	for _, c := range []struct {
		one, other string
		ambiguous  bool
	}{
		{iam + "*:role/deploy", iam + "444455556666:role/*", true},
		{iam + "*:role/rollcall-*", iam + "*:role/*-deploy", true},
		{iam + "*:role/deploy", iam + "*:role/*", false},
		{iam + "*:role/deploy", iam + "*:role/build", false},
		{iam + "*:role/a-*", iam + "*:role/b-*", false},
		{iam + "*:role/*-a", iam + "*:role/*-b", false},
		{iam + "444455556666:role/*", iam + "111122223333:role/*", false},
		{iam + "*:role/deploy", iam + "444455556666:role/deploy", false},
		{iam + "*:role/deploy", "arn:aws-cn:iam::*:role/deploy", false},
	} {
		one, _ := Ambiguous(map[string]bool{c.one: true, c.other: true})
		if (one != "") != c.ambiguous {
			t.Errorf("%s and %s: ambiguous %v", c.one, c.other, one != "")
		}
	}
}

func TestKeys(t *testing.T) {
	for key, valid := range map[string]bool{
		iam + "111122223333:role/deploy": true, iam + "*:role/deploy": true, iam + "*:role/*": true, iam + "*:role/team/rc-*-x": true, "arn:aws-us-gov:iam::*:role/a": true,
		iam + "1111*:role/deploy": false, iam + "*:role/": false, iam + "*:role/a*b*": false, iam + "*:user/a": false, iam + "*": false, "*": false, "": false,
	} {
		if Valid(key) != valid {
			t.Errorf("%s is valid: %v", key, Valid(key))
		}
	}
}

// What a pattern is narrower than, it only covers with it; and one that covers a role
// has it in its widest form too.
func FuzzOf(f *testing.F) {
	f.Add("444455556666", "deploy", "de*", "*y")
	f.Fuzz(func(t *testing.T, account, name, one, other string) {
		arn, a, b := iam+account+":role/"+name, iam+"*:role/"+one, iam+"*:role/"+other
		if !Valid(a) || !Valid(b) || !Valid(arn) || IsPattern(arn) {
			return
		}
		if within(a, b) && covers(a, arn) && !covers(b, arn) {
			t.Errorf("%s is narrower than %s, and covers %s alone", a, b, arn)
		}
		if covers(a, arn) && covers(b, arn) && !overlap(a, b) {
			t.Errorf("%s and %s both cover %s", a, b, arn)
		}
	})
}
