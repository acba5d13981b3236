// Package load makes requests to a proxy and verifies every byte of every
// answer: a load generator whose purpose is to find one wrong request among a
// million, not to be the fastest.
//
//	generator, err := load.New(load.Options{
//		Address: "127.0.0.1:8080",
//		Workers: []load.Workers{{Mode: load.KeepAlive, Connections: 16}},
//	})
//	err = generator.Run(ctx) // until ctx ends
//	report := generator.Report()
//
// It has its own small HTTP/1.1 client on raw connections, so that no library
// can hide a failure: nothing is ever retried, framing is judged strictly, and
// the one thing it forgives is a keep-alive connection that had been announced
// or closed as ended before a byte of the next request was written.
//
// It knows the answers of package payload only; it is no general benchmark.
package load
