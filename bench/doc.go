// Command bench measures Upfront beside the proxies that people would pick
// instead, on one machine, in one run.
//
// The proxy under test is pinned to one core; the load and the target share the
// other. Rounds are interleaved, so that drift of the machine hits all alike, and
// what is compared is the CPU time that the kernel charged to the proxy's
// processes, divided by the requests that were answered: a figure that neither
// the load's nor the target's cost enters.
//
//	go run ./bench                          # get, idle, switch and stream, with the peers found
//	go run ./bench --scenario get --rounds 9
//	go run ./bench --scenario websocket     # which cases of the WebSocket suite each proxy passes
//	go run ./bench --scenario hostile       # targets that send what they must not: a table of who copes
//	go run ./bench --peer nginx=/opt/nginx/sbin/nginx
//
// It needs the programs in bin/ (make build), listens and sends on loopback only,
// and writes the table and every figure to bench/results.
package main
