package load

import (
	"time"

	"upfront/bench/hist"
)

// Job says what to send.
type Job struct {
	// Address of the proxy: IPv4 and port.
	Address string

	// Connections that are kept, or requests at once when Fresh. 0 is 1.
	Connections int

	// Requests are what is sent: the i-th connection begins with the i-th, and stays with it.
	Requests [][]byte

	// Rotate lets a connection go through all of Requests instead.
	Rotate bool

	// Fresh makes a connection for each request, which has to ask for its end with
	// Connection: close.
	Fresh bool

	// Handshake, when set, is sent first on each connection, and answered 101; what
	// Requests says is sent then, and answered by EchoSize bytes.
	Handshake []byte
	EchoSize  int

	// Rate is how many requests a second an open loop sends; 0 is a closed loop.
	Rate float64

	// Tolerate counts requests that failed instead of ending the run.
	Tolerate bool
}

// Result is what a run saw.
type Result struct {
	Answered int
	Failed   int   // answered other than 200, cut, or not answered within Grace
	Failure  error // the first of them
	Elapsed  time.Duration
	Latency  hist.Histogram // of what was answered; of an open loop, from when it was due
}

// PerSecond is how many requests were answered a second.
func (r *Result) PerSecond() float64 { return float64(r.Answered) / r.Elapsed.Seconds() }

// Grace is how long a run waits for the last answers.
const Grace = 5 * time.Second
