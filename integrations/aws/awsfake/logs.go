package awsfake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-bot/rollcall/integrations/aws/awsfake/api"
)

// logEvent is a line of a log stream.
type logEvent struct {
	Timestamp     int64  `json:"timestamp"` // milliseconds since 1970
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

// Log writes lines into a log stream of CloudWatch, and returns the stream's ARN.
func (s *Server) Log(account, region, group, stream string, lines ...string) string {
	s.logAt(s.options.Now(), place{account, region}, group, stream, lines)
	return "arn:aws:logs:" + region + ":" + account + ":log-group:" + group + ":log-stream:" + stream
}

func (s *Server) logAt(at time.Time, of place, group, stream string, lines []string) {
	when, now := at.UnixMilli(), s.options.Now().UnixMilli()
	r := s.region(of.account, of.region)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		r.streams[group+"\n"+stream] = append(r.streams[group+"\n"+stream], logEvent{when, l, now})
	}
}

// groupName is the group that a call names, by name or by ARN.
func groupName(in api.Input) string {
	if name := in.Text("logGroupName"); name != "" {
		return name
	}
	id := in.Text("logGroupIdentifier")
	if _, name, ok := strings.Cut(id, ":log-group:"); ok {
		return strings.TrimSuffix(name, ":*")
	}
	return id
}

func (s *Server) logs(q *request) (any, *api.Error) {
	s.mu.Lock()
	all, ok := q.r.streams[groupName(q.Input)+"\n"+q.Input.Text("logStreamName")]
	s.mu.Unlock()
	if !ok {
		return nil, refuse(http.StatusBadRequest, "ResourceNotFoundException", "The specified log stream does not exist.")
	}
	limit := min(q.Input.Whole("limit", 10000), 10000)
	from, to := max(0, len(all)-limit), len(all)
	if q.Input.Bool("startFromHead") {
		from, to = 0, min(limit, len(all))
	}
	if token := q.Input.Text("nextToken"); token != "" {
		way, at, _ := strings.Cut(token, "/")
		n, err := strconv.Atoi(strings.TrimLeft(at, "0"))
		if strings.Trim(at, "0") == "" {
			n, err = 0, nil
		}
		switch {
		case err != nil || n > len(all) || way != "f" && way != "b":
			return nil, refuse(http.StatusBadRequest, "InvalidParameterException", "The specified nextToken is invalid.")
		case way == "f":
			from, to = n, min(n+limit, len(all))
		default:
			from, to = max(0, n-limit), n
		}
	}
	return map[string]any{
		"events": append([]logEvent{}, all[from:to]...), "nextForwardToken": fmt.Sprintf("f/%020d", to), "nextBackwardToken": fmt.Sprintf("b/%020d", from),
	}, nil
}
