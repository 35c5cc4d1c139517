package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/workflows"
)

// Successes are the newest successes of a stage, newest first, by first success.
// A pipeline that has run for a while has twenty for each stage, and few of them
// matter when something happens in it. So they are written as rows of text that
// end with a semicolon, with fields between bars, and stay rows until one is asked
// for. The zero value holds none.
//
// What is behind it is replaced, never written: copies may share it.
type Successes struct {
	read []*Success // the newest ones, as far as they were asked for
	rows []byte     // the others
}

// ReadSuccesses takes rows that [Successes.AppendRows] wrote; they must not be written afterwards.
func ReadSuccesses(rows []byte) (Successes, error) {
	if len(rows) > 0 && rows[len(rows)-1] != ';' {
		return Successes{}, errors.New("the last success is cut off")
	}
	if n := bytes.Count(rows, []byte{';'}); bytes.Count(rows, []byte{'|'}) != 7*n {
		return Successes{}, fmt.Errorf("%d successes have fields that are too few, or too many", n)
	}
	return Successes{rows: rows}, nil
}

// AppendRows writes the rows, without a character that JSON would have to escape.
func (all Successes) AppendRows(b []byte) []byte {
	for _, s := range all.read {
		b = s.append(b)
	}
	return append(b, all.rows...)
}

// Size is about how many bytes the rows have.
func (all Successes) Size() int { return 256*len(all.read) + len(all.rows) }

// IsZero says whether there are none.
func (all Successes) IsZero() bool { return len(all.read) == 0 && len(all.rows) == 0 }

// Len is how many there are.
func (all Successes) Len() int { return len(all.read) + bytes.Count(all.rows, []byte{';'}) }

// Newest are the newest ones, at most so many. They must not be written.
func (all *Successes) Newest(most int) []*Success {
	most = min(most, all.Len())
	if most > 0 {
		all.at(most - 1)
	}
	return all.read[:most:most]
}

// at returns one of them; it reads as many rows as that takes.
func (all *Successes) at(i int) *Success {
	if len(all.read) <= i { // what is shared is not written
		all.read = append(make([]*Success, 0, i+1), all.read...)
	}
	for len(all.read) <= i {
		row, rest, _ := bytes.Cut(all.rows, []byte{';'})
		s, err := readSuccess(string(row))
		if err != nil { // a row has a checksum: it is as it was written
			panic("ledger: a success that does not decode: " + err.Error())
		}
		all.read, all.rows = append(all.read, s), rest
	}
	return all.read[i]
}

// find returns which one is that of an execution; -1: none.
func (all Successes) find(execution string) int {
	for i, s := range all.read {
		if s.Execution == execution {
			return i
		}
	}
	key := append(escape(nil, execution), '|')
	for from := 0; ; {
		i := bytes.Index(all.rows[from:], key)
		if i < 0 {
			return -1
		}
		if i += from; i == 0 || all.rows[i-1] == ';' {
			return len(all.read) + bytes.Count(all.rows[:i], []byte{';'})
		}
		from = i + 1
	}
}

// with returns them with a newer one, and without the oldest where they are too many.
func (all Successes) with(newest *Success) Successes {
	all.read = append([]*Success{newest}, all.read...)
	for extra := all.Len() - successesKept; extra > 0; extra-- {
		if n := len(all.rows); n > 0 {
			all.rows = all.rows[:bytes.LastIndexByte(all.rows[:n-1], ';')+1]
		} else {
			all.read = all.read[:len(all.read)-1]
		}
	}
	return all
}

// rewritten returns them with another one in its place.
func (all Successes) rewritten(i int, s *Success) Successes {
	all.at(i)
	all.read = slices.Clone(all.read)
	all.read[i] = s
	return all
}

// MarshalText writes the rows.
func (all Successes) MarshalText() ([]byte, error) { return all.AppendRows(nil), nil }

// UnmarshalJSON reads them, also as the array of objects that earlier versions wrote.
func (all *Successes) UnmarshalJSON(data []byte) error {
	text := string(data)
	if !strings.HasPrefix(text, `"`) {
		*all = Successes{}
		return json.Unmarshal(data, &all.read)
	}
	rows := strings.Split(strings.Trim(text, `"`), ";")
	if rows[len(rows)-1] != "" {
		return errors.New("the last success is cut off")
	}
	*all = Successes{read: make([]*Success, 0, len(rows)-1)}
	for _, row := range rows[:len(rows)-1] {
		s, err := readSuccess(row)
		if err != nil {
			return fmt.Errorf("a success that does not decode: %w", err)
		}
		all.read = append(all.read, s)
	}
	return nil
}

func (s *Success) append(b []byte) []byte {
	b = append(escape(b, s.Execution), '|')
	b = append(strconv.AppendInt(b, int64(s.Number), 10), '|')
	b = append(strconv.AppendInt(b, int64(s.Version), 10), '|')
	b = append(escape(b, s.Digest), '|')
	for i := range s.Ran {
		b = append(appendTime(b, &s.Ran[i].From), ',')
		b = append(appendTime(b, s.Ran[i].To), ',')
	}
	b = append(escape(append(b, '|'), s.LeftBy), '|')
	b = append(escape(b, s.Without), '|')
	for _, r := range s.Revisions {
		for _, field := range []string{r.ActionName, r.RevisionID, r.Branch, r.Repository} {
			b = append(escape(b, field), ',')
		}
	}
	return append(b, ';')
}

func readSuccess(row string) (*Success, error) {
	var s Success
	fields := strings.Split(row, "|")
	if len(fields) != 8 {
		return nil, fmt.Errorf("it has %d fields, and not 8", len(fields))
	}
	numbers, errNumbers := [2]int{}, error(nil)
	for i := range numbers {
		n, err := strconv.Atoi(fields[1+i])
		numbers[i], errNumbers = n, errors.Join(errNumbers, err)
	}
	ran, errRan := readSpans(fields[4])
	revisions, errRevisions := readRevisions(fields[7])
	s = Success{
		Execution: unescape(fields[0]), Number: numbers[0], Version: numbers[1], Digest: unescape(fields[3]), Ran: ran,
		LeftBy: unescape(fields[5]), Without: unescape(fields[6]), Revisions: revisions,
	}
	return &s, errors.Join(errNumbers, errRan, errRevisions)
}

func readSpans(list string) ([]Span, error) {
	parts := strings.Split(list, ",")
	if len(parts)%2 != 1 || parts[len(parts)-1] != "" {
		return nil, errors.New("a span is cut off")
	}
	spans := make([]Span, len(parts)/2)
	for i := range spans {
		from, err := readTime(parts[2*i])
		if err != nil || from == nil {
			return nil, errors.Join(err, errors.New("a time is missing"))
		}
		spans[i].From = *from
		if spans[i].To, err = readTime(parts[2*i+1]); err != nil {
			return nil, err
		}
	}
	return spans, nil
}

func readRevisions(list string) ([]workflows.SourceRevision, error) {
	if list == "" {
		return nil, nil
	}
	parts := strings.Split(list, ",")
	if len(parts)%4 != 1 || parts[len(parts)-1] != "" {
		return nil, errors.New("a revision is cut off")
	}
	all := make([]workflows.SourceRevision, len(parts)/4)
	for i := range all {
		of := parts[4*i:]
		all[i] = workflows.SourceRevision{ActionName: unescape(of[0]), RevisionID: unescape(of[1]), Branch: unescape(of[2]), Repository: unescape(of[3])}
	}
	return all, nil
}

// appendTime writes a time as seconds and nanoseconds; nothing for none.
func appendTime(b []byte, t *time.Time) []byte {
	if t == nil {
		return b
	}
	b = append(strconv.AppendInt(b, t.Unix(), 36), '.')
	return strconv.AppendInt(b, int64(t.Nanosecond()), 36)
}

func readTime(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	whole, part, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 36, 64)
	nanoseconds, more := strconv.ParseInt(part, 36, 64)
	t := time.Unix(seconds, nanoseconds).UTC()
	return &t, errors.Join(err, more)
}

const hex = "0123456789abcdef"

// plain says whether a byte stands for itself: in JSON, in HTML, and between the separators.
func plain(c byte) bool {
	switch c {
	case '"', '\\', '<', '>', '&', '|', ';', ',', '%':
		return false
	}
	return c >= ' ' && c < 0x7f
}

// escape writes text, with a percent sign and two digits for every byte that is not plain.
func escape(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

func unescape(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+2 >= len(text) {
			b = append(b, text[i])
			continue
		}
		b = append(b, byte(strings.IndexByte(hex, text[i+1])<<4|strings.IndexByte(hex, text[i+2])&15))
		i += 2
	}
	return string(b)
}
