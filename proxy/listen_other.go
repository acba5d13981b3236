//go:build !linux

package proxy

import "net"

// ListenConfig is how to listen for clients.
func ListenConfig() net.ListenConfig { return net.ListenConfig{} }
