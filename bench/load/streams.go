package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"upfront/bench/hist"
	"upfront/bench/wire"
)

// Streams are answers that do not end: each holds events that begin with a mark and
// the time at which they were due, in 19 digits of Unix nanoseconds.
type Streams struct {
	poller *wire.Poller
	fds    []int
	tails  [][]byte // by stream: what an event may have begun with
	mark   []byte
	buf    []byte
}

const stampSize = 19

// OpenStreams sends a request on each of count connections.
func OpenStreams(address string, request []byte, count int, mark string) (*Streams, error) {
	to, err := wire.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	poller, err := wire.NewPoller()
	if err != nil {
		return nil, err
	}
	s := &Streams{poller: poller, tails: make([][]byte, count), mark: []byte(mark), buf: make([]byte, 64<<10)}
	for i := range count {
		if err := s.open(to, int32(i), request); err != nil {
			s.Close()
			return nil, fmt.Errorf("open stream: %w", err)
		}
	}
	return s, nil
}

func (s *Streams) open(to wire.Address, token int32, request []byte) error {
	fd, err := wire.Connect(to)
	if err != nil {
		return err
	}
	s.fds = append(s.fds, fd)
	for {
		_, err := wire.Write(fd, request)
		if !errors.Is(err, wire.ErrAgain) {
			if err != nil {
				return err
			}
			return s.poller.Add(fd, token)
		}
		time.Sleep(time.Millisecond) // until it is connected
	}
}

// Close ends all streams.
func (s *Streams) Close() {
	for _, fd := range s.fds {
		wire.Close(fd)
	}
	s.poller.Close()
}

// Run reads for d, and returns how many events came, and how late.
func (s *Streams) Run(d time.Duration) (events int, late hist.Histogram, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for end := time.Now().Add(d); time.Now().Before(end); {
		happened, err := s.poller.Wait(time.Until(end))
		if err != nil {
			return events, late, err
		}
		for _, e := range happened {
			n, err := wire.Read(s.fds[e.Token], s.buf)
			if errors.Is(err, wire.ErrAgain) {
				continue
			}
			if err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return events, late, fmt.Errorf("read stream: %w", err)
			}
			events += s.count(int(e.Token), s.buf[:n], &late)
		}
	}
	return events, late, nil
}

// count finds the events that begin in what came on a stream.
func (s *Streams) count(stream int, in []byte, late *hist.Histogram) (events int) {
	if tail := s.tails[stream]; len(tail) > 0 {
		in = append(tail, in...)
	}
	now := time.Now().UnixNano()
	size := len(s.mark) + stampSize
	for {
		at := bytes.Index(in, s.mark)
		if at < 0 {
			in = in[max(0, len(in)-len(s.mark)+1):]
			break
		}
		in = in[at:]
		if len(in) < size {
			break
		}
		due, err := strconv.ParseInt(string(in[len(s.mark):size]), 10, 64)
		if err == nil {
			late.Add(time.Duration(now - due))
			events++
		}
		in = in[size:]
	}
	s.tails[stream] = bytes.Clone(in)
	return events
}
