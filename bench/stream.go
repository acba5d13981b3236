package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"upfront/bench/peer"
	"upfront/bench/report"
)

// streamPieces is how many pieces an answer of the stream scenario has, one every
// streamPause: a target that writes at once what it has, as for events, a model's
// words or a slow query.
const (
	streamPieces = 8
	streamPause  = 10 * time.Millisecond
)

// framings are how the target frames a stream: its head, and one piece of 32 bytes
// that begins with the time at which it is sent.
var framings = []struct{ name, head, before, after, end string }{
	{"events", "Content-Type: text/event-stream\r\nConnection: close\r\n\r\n", "", "", ""},
	{"chunked", "Transfer-Encoding: chunked\r\n\r\n", "20\r\n", "\r\n", "0\r\n\r\n"},
	{"known length", "Content-Length: " + strconv.Itoa(streamPieces*pieceSize) + "\r\n\r\n", "", "", ""},
}

const pieceSize = 32

// stream measures how much later than directly the pieces of a streamed answer
// arrive: the first, which stands for the time to first byte, and all of them.
func (b *bench) stream() error {
	app, err := b.startSelf("streams", b.address(1), b.address(1))
	if err != nil {
		return err
	}
	defer app.stop()
	for _, f := range framings {
		name := "stream, " + f.name
		err := b.interleave(name, b.rounds, b.subjects(false), func(s subject) error {
			direct, err := readStream(b.address(1), f.name, b.sizes.answers)
			if err != nil {
				return fmt.Errorf("directly: %w", err)
			}
			st, err := b.start(s, app, peer.Options{Streams: true})
			if err != nil {
				return err
			}
			defer st.stop()
			return st.stream(name, s.name, f.name, direct)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// delays are how long pieces were on their way.
type delays struct {
	first []float64 // ms from the request to the first piece
	all   []float64 // ms from the target's write of a piece to its arrival
}

func (st *stage) stream(scenario, name, framing string, direct delays) error {
	got, err := readStream(st.address, framing, st.bench.sizes.answers)
	if err != nil {
		return err
	}
	b := st.bench
	b.add(scenario, "first byte later, p50", "ms", name, report.Median(got.first)-report.Median(direct.first), "")
	b.add(scenario, "first byte later, p99", "ms", name, percentile(got.first, 99)-percentile(direct.first, 99), "")
	b.add(scenario, "piece on its way, p99", "ms", name, percentile(got.all, 99), "")
	return nil
}

// readStream asks for one stream after the other and verifies their framing.
func readStream(address, framing string, answers int) (d delays, err error) {
	for i := range answers + 1 {
		first, all, err := readOneStream(address, strings.ReplaceAll(framing, " ", "-"))
		if err != nil {
			return d, err
		}
		if i == 0 { // warm
			continue
		}
		d.first = append(d.first, first)
		d.all = append(d.all, all...)
	}
	return d, nil
}

func readOneStream(address, framing string) (first float64, all []float64, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	asked := time.Now()
	if _, err := fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: bench.test\r\n\r\n", framing); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	var piece [pieceSize]byte
	for range streamPieces {
		if _, err := io.ReadFull(resp.Body, piece[:]); err != nil {
			return 0, nil, err
		}
		now := time.Now()
		sent, err := strconv.ParseInt(strings.TrimSpace(string(piece[:])), 10, 64)
		if err != nil {
			return 0, nil, err
		}
		if len(all) == 0 {
			first = now.Sub(asked).Seconds() * 1e3
		}
		all = append(all, now.Sub(time.Unix(0, sent)).Seconds()*1e3)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n > 0 {
		return 0, nil, errors.Join(fmt.Errorf("%d bytes behind the last piece", n), err)
	}
	return first, all, nil
}

// serveStreams is the process behind every proxy in this scenario.
func serveStreams(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go serveStream(conn)
	}
}

// serveStream answers the requests of one connection; its end is the client's
// business.
func serveStream(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		again := writeStream(conn, strings.ReplaceAll(req.URL.Path[1:], "-", " "))
		if !again {
			return
		}
	}
}

// writeStream writes one answer and reports whether the connection goes on.
func writeStream(w io.Writer, framing string) bool {
	for _, f := range framings {
		if f.name != framing {
			continue
		}
		if _, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n"+f.head); err != nil {
			return false
		}
		for i := range streamPieces {
			if i > 0 {
				time.Sleep(streamPause)
			}
			piece := fmt.Sprintf("%*d\n", pieceSize-1, time.Now().UnixNano())
			if _, err := io.WriteString(w, f.before+piece+f.after); err != nil {
				return false
			}
		}
		_, err := io.WriteString(w, f.end)
		return err == nil && !strings.Contains(f.head, "close")
	}
	_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") // a probe
	return err == nil
}
