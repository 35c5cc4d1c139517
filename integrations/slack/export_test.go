package slack

import (
	"context"
	"net"
)

// DialBy lets a client reach Socket Mode by another way than the network.
func (c *Client) DialBy(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.dial = dial
}
