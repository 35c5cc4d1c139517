package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-bot/rollcall/workflows/clean"
	"github.com/rollcall-bot/rollcall/workflows/record"
)

// Reader reads the stored bytes of one record, of every version that was ever written.
type Reader func(stored []byte) (record.Stored, error)

// Verifier proves a copy of the record: it is given all of it, record by record
// or line by line, and then says what does not fit. Of each pipeline it names the
// first record that does not; what comes behind that one proves nothing.
type Verifier struct {
	read       Reader
	partial    bool
	anchors    map[string]map[uint64][]record.Anchor
	chains     map[string]*chain
	lines      int
	last       string             // the record before, in words
	unreadable []unreadableRecord // what could not be read, of which pipelines is not known
	report     Report
}

// unreadableRecord is a record that could not be read: why, and the record before it in words.
type unreadableRecord struct{ why, behind string }

// chain is one pipeline's, as far as it was seen.
type chain struct {
	first, last uint64
	hash        string
	broken      bool
}

// Expect is what a copy is compared with.
type Expect struct {
	Anchors []record.Anchor
	// Partial: it is a part of the record, so that a pipeline may begin after its
	// first one, and an anchor from before the part is not asked for.
	Partial bool
	// Pipeline: only this one is expected; anchors of others are not asked for. Empty: all.
	Pipeline string
}

// NewVerifier returns a verifier of one copy.
func NewVerifier(read Reader, e Expect) *Verifier {
	v := &Verifier{read: read, partial: e.Partial, anchors: map[string]map[uint64][]record.Anchor{}, chains: map[string]*chain{}}
	for _, a := range e.Anchors {
		if e.Pipeline != "" && a.Pipeline != e.Pipeline {
			continue
		}
		if v.anchors[a.Pipeline] == nil {
			v.anchors[a.Pipeline] = map[uint64][]record.Anchor{}
		}
		of := v.anchors[a.Pipeline]
		if !slices.ContainsFunc(of[a.Record], func(b record.Anchor) bool { return b.Hash == a.Hash }) {
			of[a.Record] = append(of[a.Record], a)
		}
	}
	return v
}

// Line takes the next line of an exported copy.
func (v *Verifier) Line(text []byte) {
	v.lines++
	var l Line
	if err := json.Unmarshal(text, &l); err != nil {
		v.addUnreadable(fmt.Sprintf("line %d is no record: it was changed or cut off", v.lines))
		return
	}
	r, err := v.read(l.Stored)
	if err != nil {
		v.addUnreadable(fmt.Sprintf("its stored bytes cannot be read (line %d): %s", v.lines, clean.Line(err.Error())))
		return
	}
	r.Hash = sum(r.Bytes)
	if says := LineOf(&r); l.Hash != r.Hash {
		v.fault(l.Pipeline, l.Record, fmt.Sprintf("its stored bytes do not give its hash (line %d): it was changed after it was written", v.lines))
		return
	} else if want, err := says.Text(); err != nil || !bytes.Equal(bytes.TrimSuffix(want, []byte("\n")), bytes.TrimSuffix(text, []byte("\n"))) {
		v.fault(r.Pipeline, r.Number, fmt.Sprintf("line %d says something else than its stored bytes: what can be read in it was changed, or another version of rollcall wrote it", v.lines))
		return
	}
	v.Record(r)
}

// Record takes the next record as a store gives it.
func (v *Verifier) Record(r record.Stored) {
	if r.Damage != nil {
		v.addUnreadable("it cannot be read: " + clean.Line(r.Damage.Error()))
		return
	}
	v.report.Records++
	c := v.chains[r.Pipeline]
	if c == nil {
		c = &chain{first: r.Number}
		v.chains[r.Pipeline] = c
		if v.partial && r.Number > 1 {
			c.last, c.hash = r.Number-1, r.Prev
		}
	}
	if why := v.mismatch(c, &r); why != "" && !c.broken {
		if r.Number <= c.last+1 || !v.nameUnreadable(r.Pipeline, c.last+1) {
			v.fault(r.Pipeline, r.Number, why)
		}
		c.broken = true
	}
	c.last, c.hash = max(c.last, r.Number), r.Hash
	v.last = place(r.Pipeline, r.Number)
}

// mismatch says why a record does not continue its chain; empty: it does.
func (v *Verifier) mismatch(c *chain, r *record.Stored) string {
	switch {
	case r.Number <= c.last:
		return fmt.Sprintf("it comes again, behind record %d", c.last)
	case c.last == 0 && r.Number > 1:
		return "it is the first of its pipeline here, and " + missing(1, r.Number-1)
	case r.Number > c.last+1:
		return fmt.Sprintf("it follows record %d: %s", c.last, missing(c.last+1, r.Number-1))
	case r.Prev != c.hash && c.last == 0:
		return "it is the first one and continues another: records before it were taken away"
	case r.Prev != c.hash:
		return fmt.Sprintf("it does not continue record %d: one of the two was changed after it was written", c.last)
	case sum(r.Bytes) != r.Hash:
		return "its stored bytes do not give its hash: it was changed after it was written"
	}
	for _, a := range v.anchors[r.Pipeline][r.Number] {
		if a.Hash != r.Hash {
			return "its hash is not that of the anchor" + since(a.At) + ": it, or a record before it, was changed and the chain written anew"
		}
		v.report.anchored(a)
	}
	return ""
}

// End takes what a store says of the end of a pipeline's chain.
func (v *Verifier) End(h record.Head) {
	c := v.chains[h.Pipeline]
	switch {
	case c == nil && h.Last > 0:
		v.chains[h.Pipeline] = &chain{broken: true}
		if h.Last == 1 && v.nameUnreadable(h.Pipeline, 1) {
			return
		}
		v.fault(h.Pipeline, 1, fmt.Sprintf("it and all behind it, up to record %d, are missing", h.Last))
	case c != nil && !c.broken && c.last < h.Last:
		if c.last+1 == h.Last && v.nameUnreadable(h.Pipeline, h.Last) {
			return
		}
		v.fault(h.Pipeline, c.last+1, fmt.Sprintf("it is missing: the record ends with %d and should end with %d", c.last, h.Last))
	}
}

// Report ends the copy and says what came of it.
func (v *Verifier) Report() Report {
	for _, u := range v.unreadable {
		v.report.Faults = append(v.report.Faults, fmt.Sprintf("a record %s, of a pipeline that is not known: %s", u.behind, u.why))
	}
	for _, pipeline := range slices.Sorted(maps.Keys(v.anchors)) {
		v.compareEnd(pipeline, v.chains[pipeline])
	}
	v.report.Pipelines = len(v.chains)
	if v.report.Faults == nil {
		v.report.Faults = []string{}
	}
	return v.report
}

// compareEnd looks for anchors behind the end of a chain, and before its beginning.
func (v *Verifier) compareEnd(pipeline string, c *chain) {
	numbers := slices.Sorted(maps.Keys(v.anchors[pipeline]))
	newest := numbers[len(numbers)-1]
	a := v.anchors[pipeline][newest][0]
	switch {
	case c == nil && v.partial:
		v.report.Before += len(numbers)
	case c == nil:
		v.fault(pipeline, 1, fmt.Sprintf("nothing of this pipeline is here, and an anchor%s names record %d: it was removed, or who asks may not audit it", since(a.At), newest))
	case c.broken:
	case newest > c.last:
		v.fault(pipeline, c.last+1, fmt.Sprintf("it is missing: the copy ends with record %d, and an anchor%s names record %d: the end was cut off", c.last, since(a.At), newest))
	}
	if c != nil && v.partial {
		for _, n := range numbers {
			if n < c.first {
				v.report.Before++
			}
		}
	}
}

// addUnreadable notes a record of which nobody can say whose it is; a gap in a chain will.
func (v *Verifier) addUnreadable(why string) {
	const most = 100 // the rest of what is no record at all says nothing new
	if len(v.unreadable) < most {
		v.unreadable = append(v.unreadable, unreadableRecord{why, v.position()})
	}
}

// nameUnreadable says whether a record that is missing is one that could not be read, and then names it.
func (v *Verifier) nameUnreadable(pipeline string, number uint64) bool {
	if len(v.unreadable) == 0 {
		return false
	}
	v.fault(pipeline, number, v.unreadable[0].why)
	v.unreadable = v.unreadable[1:]
	return true
}

func (v *Verifier) fault(pipeline string, number uint64, why string) {
	if c := v.chains[pipeline]; c != nil {
		c.broken = true
	}
	v.report.Faults = append(v.report.Faults, place(pipeline, number)+": "+why)
}

// position says where in the copy something is that has no name.
func (v *Verifier) position() string {
	if v.last == "" {
		return "at the beginning"
	}
	return "behind " + v.last
}

// Report is what a verification found.
type Report struct {
	Records   int `json:"records"`
	Pipelines int `json:"pipelines"`
	// Faults are sentences, the first record that does not fit of each pipeline;
	// none: nothing was changed, and nothing is missing that could be noticed.
	Faults []string `json:"faults"`
	// Anchors is how many anchors fit, Newest the youngest of them, Before how many
	// are from before a partial copy.
	Anchors int           `json:"anchors"`
	Before  int           `json:"anchorsBefore"`
	Newest  record.Anchor `json:"newestAnchor,omitzero"`
}

func (r *Report) anchored(a record.Anchor) {
	r.Anchors++
	if r.Anchors == 1 || a.At.After(r.Newest.At) {
		r.Newest = a
	}
}

func place(pipeline string, number uint64) string {
	return fmt.Sprintf("%s record %d", clean.Line(pipeline), number)
}

func missing(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("record %d is missing", from)
	}
	return fmt.Sprintf("records %d to %d are missing", from, to)
}

func since(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " of " + at.UTC().Format(time.RFC3339)
}

func sum(stored []byte) string {
	s := sha256.Sum256(stored)
	return hex.EncodeToString(s[:])
}
