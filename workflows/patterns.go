package workflows

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Match says whether one of the names is matched by some include (or there are
// none) and by no exclude; each name is judged alone. Nil matches everything,
// a pattern that Check refuses nothing.
//
// A pattern is CodePipeline's glob: * and ? stay within one part of the name,
// ** goes across parts and "**/" may be empty, [abc] and [!a-c] are one
// character, {a,b} one of several, \ takes the next character as it is.
func (p *Patterns) Match(names ...string) bool {
	if p == nil {
		return len(names) > 0
	}
	includes, err := globs(p.Includes)
	excludes, err2 := globs(p.Excludes)
	if err != nil || err2 != nil {
		return false
	}
	for _, name := range names {
		if (includes == nil || includes.MatchString(name)) && (excludes == nil || !excludes.MatchString(name)) {
			return true
		}
	}
	return false
}

// Check says what is wrong with the first pattern that cannot be read.
func (p *Patterns) Check() error {
	for _, pattern := range slices.Concat(p.Includes, p.Excludes) {
		if _, err := glob(pattern); err != nil {
			return err
		}
	}
	return nil
}

// globs compiles several patterns to one expression; nil when there are none.
func globs(patterns []string) (*regexp.Regexp, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	var each []string
	for _, p := range patterns {
		expr, err := glob(p)
		if err != nil {
			return nil, err
		}
		each = append(each, expr)
	}
	return regexp.Compile(`(?s)\A(?:` + strings.Join(each, "|") + `)\z`)
}

// glob translates a pattern to a regular expression, which is matched in
// linear time whatever the pattern.
func glob(p string) (string, error) {
	if !utf8.ValidString(p) {
		return "", errors.New("the text is not UTF-8")
	}
	var out strings.Builder
	braces := false
	for i := 0; i < len(p); {
		c := p[i]
		switch {
		case strings.HasPrefix(p[i:], "**/") && (i == 0 || p[i-1] == '/'):
			out.WriteString("(?:.*/)?")
			i += 3
			continue
		case strings.HasPrefix(p[i:], "**"):
			out.WriteString(".*")
			i += 2
			continue
		case c == '*':
			out.WriteString("[^/]*")
		case c == '?':
			out.WriteString("[^/]")
		case c == '[':
			class, n, err := class(p[i:])
			if err != nil {
				return "", err
			}
			out.WriteString(class)
			i += n
			continue
		case c == '{' && braces:
			return "", errors.New("{ inside { } is not possible")
		case c == '{':
			braces = true
			out.WriteString("(?:")
		case c == '}' && braces:
			braces = false
			out.WriteString(")")
		case c == ',' && braces:
			out.WriteString("|")
		default:
			if c == '\\' {
				i++
			}
			r, n := utf8.DecodeRuneInString(p[i:])
			if n == 0 {
				return "", errors.New(`\ needs a character behind it`)
			}
			out.WriteString(regexp.QuoteMeta(string(r)))
			i += n
			continue
		}
		i++
	}
	if braces {
		return "", errors.New("{ is not closed by }")
	}
	return out.String(), nil
}

// class translates [abc], [a-c] or [!a-c], in which every other character is
// literal. What is negated does not match the slash.
func class(p string) (expr string, length int, err error) {
	end := strings.IndexByte(p[1:], ']')
	if end < 0 {
		return "", 0, errors.New("[ is not closed by ]")
	}
	body, negated := strings.CutPrefix(p[1:1+end], "!")
	if body == "" {
		return "", 0, errors.New("[ ] holds no character")
	}
	var out strings.Builder
	for i, r := range body {
		if r == '-' && i > 0 && i < len(body)-1 {
			out.WriteByte('-')
		} else if r < utf8.RuneSelf {
			out.WriteString(`\x{` + string("0123456789abcdef"[r>>4]) + string("0123456789abcdef"[r&15]) + `}`)
		} else {
			out.WriteRune(r)
		}
	}
	expr = "[" + out.String() + "]"
	if negated {
		expr = "[^/" + out.String() + "]"
	}
	if _, err := regexp.Compile(expr); err != nil {
		return "", 0, errors.New("[" + body + "] is not a range of characters")
	}
	return expr, end + 2, nil
}
