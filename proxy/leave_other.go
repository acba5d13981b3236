//go:build !linux

package proxy

import "context"

// leaveWatch is Linux's; elsewhere a client that leaves is noticed when the next
// byte is sent to it.
type leaveWatch struct{}

func newLeaveWatch() (*leaveWatch, error) { return &leaveWatch{}, nil }

func (*leaveWatch) add(*client)             {}
func (*leaveWatch) remove(*client)          {}
func (*leaveWatch) park(*client) bool       { return false }
func (*leaveWatch) unpark(*client) bool     { return false }
func (*leaveWatch) run(ctx context.Context) { <-ctx.Done() }
