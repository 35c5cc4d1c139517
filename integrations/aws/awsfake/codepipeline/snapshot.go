package codepipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// happening is something that changed the service: an operation, or what its owner did.
type happening struct {
	At    time.Time       `json:"at"`
	By    string          `json:"by,omitempty"`
	Op    string          `json:"op"`
	Input json.RawMessage `json:"input"`
}

// told is the input of what the owner did.
type told struct {
	Pipeline string   `json:"pipeline,omitempty"`
	Stage    string   `json:"stage,omitempty"`
	Name     string   `json:"name,omitempty"`
	Detail   string   `json:"detail,omitempty"`
	Revision Revision `json:"revision"`
	Scripts  []Script `json:"scripts,omitempty"`
}

func (s *Service) keep(by, op string, input []byte) {
	if !s.replaying {
		s.inputs = append(s.inputs, happening{s.at, by, op, append(json.RawMessage(nil), input...)})
	}
}

func (s *Service) recordCall(op string, t told) {
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err) // plain values
	}
	s.keep("", op, raw)
}

// Snapshot is the service as bytes: all that ever changed it.
func (s *Service) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.inputs)
}

// Changes counts what has changed the service.
func (s *Service) Changes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inputs)
}

// Restore makes a new service what another one was: all happens again at its own time, with the same IDs, and no event is told.
func (s *Service) Restore(snapshot []byte) error {
	var inputs []happening
	if err := json.Unmarshal(snapshot, &inputs); err != nil {
		return fmt.Errorf("read the snapshot of CodePipeline: %w", err)
	}
	now := s.options.Now
	defer func() { s.options.Now, s.replaying, s.inputs = now, false, inputs }()
	s.replaying = true
	if len(inputs) > 0 {
		s.at = inputs[0].At
	}
	for _, in := range inputs {
		s.options.Now = func() time.Time { return in.At }
		if err := s.repeat(in); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) repeat(in happening) error {
	var t told
	if in.By == "" {
		if err := json.Unmarshal(in.Input, &t); err != nil {
			return fmt.Errorf("read the snapshot of CodePipeline: %w", err)
		}
	}
	// A refusal changed nothing the first time, and does not now.
	switch in.Op {
	case "play":
		s.Play(t.Pipeline, t.Stage, t.Name, t.Scripts...)
	case "push":
		s.Push(t.Pipeline, t.Name, t.Revision)
	case "start":
		_, _ = s.Start(t.Pipeline, t.Name, t.Detail)
	case "finish":
		_ = s.Finish(t.Detail, t.Stage, t.Name, t.Scripts[0])
	default:
		_, _ = s.Do(in.By, in.Op, in.Input)
	}
	return nil
}

// newID is a lower-case UUID: the nth of this account and region is always the same.
func (s *Service) newID() string {
	s.ids++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", s.options.Account, s.options.Region, s.ids))
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:32]}, "-")
}
