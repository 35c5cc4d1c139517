package store

import "github.com/rollcall-bot/rollcall/workflows/record"

// Encode makes the rows of a commit ahead of it, those that do not depend on
// what is committed beside them, so that the one who commits need not. Frames
// must have their Seq. What cannot be made is left to the commit, which says why.
func (db *DB) Encode(c *record.Commit) {
	e := &c.Encoded
	e.Frames = each(len(c.Frames), func(i int) ([]byte, error) { return db.codec.encodeFrame(&c.Frames[i]) })
	e.Checkpoints = each(len(c.Checkpoints), func(i int) ([]byte, error) { return db.codec.encodeCheckpoint(&c.Checkpoints[i]) })
	e.Executions = each(len(c.Executions), func(i int) ([]byte, error) { return db.codec.encodeExecution(c.Executions[i]) })
	e.Memos = each(len(c.Memos), func(i int) ([]byte, error) { return db.codec.encodeMemo(c.Memos[i].Value) })
}

func each(n int, row func(i int) ([]byte, error)) [][]byte {
	if n == 0 {
		return nil
	}
	rows := make([][]byte, n)
	for i := range rows {
		if r, err := row(i); err == nil {
			rows[i] = r
		}
	}
	return rows
}

// encoded is a row that was made ahead; nil: there is none.
func encoded(rows [][]byte, i int) []byte {
	if i < len(rows) && len(rows[i]) > 0 {
		return rows[i]
	}
	return nil
}
