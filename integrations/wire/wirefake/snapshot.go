package wirefake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// WriteSnapshot is a fake's snapshot as JSON. Its field "snapshot" is the number of its form.
func WriteSnapshot(vendor string, snapshot any) ([]byte, error) {
	b, err := json.Marshal(snapshot)
	if err != nil {
		return nil, fmt.Errorf("writing %s's snapshot: %w", vendor, err)
	}
	return b, nil
}

// ReadSnapshot reads a snapshot of one form, and refuses any other. After an
// error nothing of what was read may be used.
func ReadSnapshot(vendor string, form int, data []byte, into any) error {
	var head struct {
		Form int `json:"snapshot"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("reading %s's snapshot: %w", vendor, err)
	}
	if head.Form != form {
		return fmt.Errorf("%s's snapshot has form %d, this program reads form %d", vendor, head.Form, form)
	}
	if err := ReadObject(data, into); err != nil {
		return fmt.Errorf("reading %s's snapshot: %w", vendor, err)
	}
	return nil
}

// ReadObject reads one JSON object, and nothing after it; a field that into does
// not have is an error.
func ReadObject(data []byte, into any) error {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return errors.New("a JSON object is wanted")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading the JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON object")
	}
	return nil
}
