package main

import (
	"strings"

	"upfront/bench/load"
)

// scenario is one thing that is measured.
type scenario struct {
	name   string
	about  string
	run    func(*bench) error
	byName bool // not part of all
}

// scenarios are in the order in which they run.
var scenarios []scenario

func init() { // for those that name the list in their errors
	scenarios = []scenario{
		{"get", "300-byte answers over 64 kept connections", requests("GET, 64 connections", small(64)), false},
		{"get-512", "300-byte answers over 512 kept connections", requests("GET, 512 connections", small(512)), false},
		{"new", "a connection for each request", requests("new connection each", fresh), false},
		{"20k", "answers of 20 KB", requests("GET 20 KB", get("/20k")), false},
		{"1m", "answers of 1 MB", requests("GET 1 MB", get("/1m")), false},
		{"post-1k", "bodies of 1 KB to the target", requests("POST 1 KB", post(1<<10)), false},
		{"post-64k", "bodies of 64 KB to the target", requests("POST 64 KB", post(64<<10)), false},
		{"echo", "WebSockets: frames of 64 bytes, and their echo", requests("WebSocket echo", echo), false},
		{"fanout", "server-sent events to many clients", (*bench).fanOut, false},
		{"latency", "latency added at half of a proxy's own throughput, and at the same rate for all", (*bench).latency, false},
		{"unix", "small GETs to a target at a unix socket, and to one over TCP", (*bench).unixTargets, false},
		{"services", "small GETs when there are many services", (*bench).services, false},
		{"probes", "targets probed every 5 s, and no traffic", (*bench).probes, false},
		{"idle", "memory at rest, and of kept connections that ask nothing", (*bench).idleConnections, false},
		{"deploy", "a deploy every second at 70 % of the throughput", (*bench).deploys, false},
		{"cost", "what each default of Upfront costs", (*bench).cost, false},
		{"switch", "from an app's first good answer to its first request", (*bench).switchTime, false},
		{"stream", "how much later than directly the first byte of a stream arrives", (*bench).stream, false},
		{"slow", "what quick clients notice of thousands of slow ones", slowClients(false), true},
		{"slow-tool", "the same by slowhttptest, which has to be installed", slowClients(true), true},
		// Once Upfront has TLS: by name no longer, and direct as a row of the load's cost.
		{"tls", "TLS: kept connections", secure("TLS, kept connections", load.Kept), true},
		{"tls-new", "TLS: a full handshake for each request", secure("TLS, a full handshake each", load.Full), true},
		{"tls-resumed", "TLS: a resumed handshake for each request", secure("TLS, a resumed handshake each", load.Resumed), true},
		{"h2", "HTTP/2: 64 streams", secure("HTTP/2, 64 streams", load.HTTP2), true},
		{"hostile", "targets that send what they must not: a table of who copes", (*bench).hostile, true},
		{"websocket", "the cases of the WebSocket suite: a table of who passes", (*bench).webSockets, true},
	}
}

func scenarioNames() string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}
