// Package target is the app behind every proxy that the bench measures: one thread
// that answers from buffers made beforehand, so that it costs less than any proxy.
//
//	GET  /, /up   about 300 bytes, head included
//	GET  /20k     20 KB
//	GET  /1m      1 MB, from a file in memory, without a copy
//	POST /        takes the body, and answers as GET / does
//	GET  /echo    a WebSocket that sends back each frame
//	GET  /events  server-sent events: one in each Interval to each client, beginning
//	              with the time it was due at in Unix nanoseconds
//	GET  /served  how many requests were answered so far
//
// It is no server for anything else: it does not take chunked bodies, and what it does
// not understand ends the connection.
package target
