// Package service holds what is deployed: services with their routes, targets
// and gate, and the calls that change them. A change never edits a live value:
// it builds a new one and publishes it with one pointer store.
//
//	registry, err := service.New(service.Options{StatePath: path, Logger: logger})
//	go registry.Run(ctx) // probes
//	svc, prefix, ok := registry.Match(host, path)
//	target, err := svc.Pool.Acquire(nil)
//
// What holds at every moment:
//
//   - world is immutable; requests and lists read it without a lock;
//   - a change is judged, written to the state file and published in one commit,
//     one at a time; nothing is probed or drained under that lock;
//   - whoever asks for a change that fails leaves nothing behind: no probe, no
//     connection, no goroutine;
//   - calls on the targets of one service take turns; a drain comes after the
//     turn.
//
// It moves no request and serves no socket: proxy and control do.
package service
