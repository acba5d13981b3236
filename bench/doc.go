// Command bench measures Upfront beside the proxies that people would pick
// instead, on one machine, in one run.
//
//	make bench                                   # everything, with the peers found; about 40 minutes
//	go run ./bench --scenario get,20k --rounds 9
//	go run ./bench --log both --runs 2           # access log off for all, then on for all; all of it twice
//	go run ./bench --peer traefik=/opt/traefik --peer caddy=
//	go run ./bench --scenario slow,slow-tool     # thousands of slow clients, and what quick ones notice
//	go run ./bench --scenario hostile,websocket  # suites that judge, and measure nothing
//
// It needs Linux, two cores and the programs in bin/ (make build), and listens and sends
// on loopback only. Debian's nginx, haproxy and caddy are taken where they are
// installed; --peer names others, or other programs of the same name.
//
// # What makes the figures comparable
//
// Each proxy is pinned to one core, and load and target to others (with two cores they share
// one). Rounds are interleaved, so that drift of the machine hits all alike, and each
// begins with another proxy; a figure is the median of its rounds. CPU is what the
// kernel charged to the whole tree of the proxy's processes, in nanoseconds, divided by
// the requests that were answered. Latency comes from an open loop, and counts from when
// a request was due (see package load). Load and target are one thread and one epoll
// each, and a row named direct measures them without a proxy: the table says whether
// they cost less than the cheapest one.
//
// It refuses to run beside a Docker daemon, whose NAT rules tax every packet, or when
// somebody listens on a port that it needs, and marks figures whose rounds lie apart,
// or that other processes or the hypervisor disturbed.
package main
