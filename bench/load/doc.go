// Package load makes requests as cheaply as it can: one thread, one epoll, requests
// made beforehand, bodies discarded in the kernel.
//
// A closed loop (Job.Rate 0) sends the next request of a connection when the answer
// to the last is there: it finds what a proxy can do at most. An open loop sends at
// a rate whatever the proxy does, and counts the latency of a request from when it
// was due: a proxy that stalls for a second is charged for all the requests that
// would have come in that second, not for one (what is called coordinated
// omission otherwise).
//
// Every answer is verified: status 200, and as many bytes as were announced.
package load
