// Package peer runs the proxies that are measured: it renders the config of each for
// what a scenario asks, starts it on one core, and tells it of another target.
//
// Each config does what Upfront does unasked, where the proxy can: connections to the
// target are kept, the X-Forwarded fields and a request id are set, and nothing is
// gathered that could be streamed when the scenario streams. Nobody is slowed down: no
// buffers smaller, no log more eager than the proxy's manual has it.
package peer
