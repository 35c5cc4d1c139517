package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/rollcall-bot/rollcall/cmd/rollcall/internal/client"
)

// Ctrl-C is no success: what it interrupts ends with 130 and says so, whatever
// was under way. Only a service ends well when it is told to.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, typing := io.Pipe()
	defer typing.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, asking := (&client.Client{URL: "http://" + listener.Addr().String(), HTTP: &http.Client{}}).WhoAmI(ctx)
	for _, c := range []struct {
		about string
		err   error
		says  string
	}{
		{"a question", confirm(ctx, &output{io.Discard, io.Discard}, silent, "Stop webshop#1?"), "rollcall: nothing was done\n"},
		{"a call of the service", asking, "rollcall: interrupted\n"},
		{"half a backup", fmt.Errorf("the backup broke off: %w", context.Canceled), "rollcall: interrupted\n"},
	} {
		var said bytes.Buffer
		if status := exitStatus(c.err, &said); status != exitInterrupted || said.String() != c.says {
			t.Errorf("%s: status %d, %q; want %d, %q", c.about, status, said.String(), exitInterrupted, c.says)
		}
	}
	if err := untilStopped(fmt.Errorf("serve: %w", context.Canceled)); err != nil {
		t.Error("a service that was stopped ends with", err)
	}
}
