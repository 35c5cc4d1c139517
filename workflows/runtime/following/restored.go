package following

import (
	"context"
	"strconv"

	"github.com/rollcall-bot/rollcall/workflows/record"
)

// AtHead are the memos by which every follower goes on at a feed position, with
// nothing of before to do again. Followers that are switched off today are among
// them: nobody is told old news when they come back.
func AtHead(ctx context.Context, m Memos, head uint64) (memos []record.Memo, err error) {
	for _, prefix := range []string{followPrefix, retryPrefix} {
		known, err := m.List(ctx, record.RuntimeOwner, prefix)
		if err != nil {
			return nil, err
		}
		for _, one := range known {
			if one.Value = nil; prefix == followPrefix {
				one.Value = strconv.AppendUint(nil, head, 10)
			}
			memos = append(memos, record.Memo{Owner: record.RuntimeOwner, Key: one.Key, Value: one.Value})
		}
	}
	return memos, nil
}
