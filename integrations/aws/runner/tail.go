package runner

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// tailPages is how many pages of at most 1 MiB one poll adds to a log.
const tailPages = 5

// cursor is how far a log stream has been read. It lies in the run folder, not in
// the handle: every change of a handle is an event.
type cursor struct {
	Stream string `json:"stream"`
	Next   string `json:"next"`
}

// Tail adds to the action's log what a stream of CloudWatch Logs has more than the
// last time, and says whether that was all. A stream that is not there yet has
// nothing. A role that may not read it costs the log, not the action: the log says so once.
func (a *Attempt) Tail(ctx context.Context, group, stream string) (all bool, err error) {
	if group == "" || stream == "" {
		return true, nil
	}
	path := filepath.Join(a.workspace.Dir(), "cloudwatch.json")
	at, err := readCursor(path, group+" "+stream)
	if err != nil || at.Next == "denied" {
		return true, err
	}
	api := cloudwatchlogs.NewFromConfig(a.Config)
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &stream, StartFromHead: aws.Bool(true)}
	for range tailPages {
		if in.NextToken = nil; at.Next != "" {
			in.NextToken = aws.String(at.Next)
		}
		out, err := api.GetLogEvents(ctx, in)
		switch {
		case IsMissing(err):
			return true, nil
		case Code(err) == "AccessDenied":
			at.Next = "denied"
			return true, errors.Join(a.Unread(err, "the log in CloudWatch Logs ("+group+", "+stream+")"), at.write(path))
		case err != nil:
			return false, err
		}
		var text strings.Builder
		for _, e := range out.Events {
			text.WriteString(strings.TrimRight(aws.ToString(e.Message), "\r\n") + "\n")
		}
		next := aws.ToString(out.NextForwardToken)
		if next == at.Next || next == "" {
			return true, nil
		}
		at.Next = next
		if text.Len() > 0 {
			if err := a.appendLog(text.String()); err != nil {
				return false, err
			}
		}
		if err := at.write(path); err != nil {
			return false, err
		}
	}
	return false, nil
}

// LogEnd is what the action's log ends with, at most so many bytes.
func (a *Attempt) LogEnd(most int64) (string, error) {
	f, err := os.Open(a.workspace.LogFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
	return string(text), err
}

func readCursor(path, stream string) (cursor, error) {
	fresh := cursor{Stream: stream}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return fresh, err
	}
	var at cursor
	if json.Unmarshal(data, &at) != nil || at.Stream != stream {
		return fresh, nil // cut off by a crash, or of another stream: from its beginning
	}
	return at, nil
}

func (c cursor) write(path string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
