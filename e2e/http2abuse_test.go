package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attack is what a client does on one HTTP/2 connection.
type attack struct {
	name string
	// settings that the client begins with.
	settings []http2.Setting
	// prepare is sent once, repeat again and again; each makes frames.
	prepare func(a *attacker)
	repeat  func(a *attacker)
	// patient ones send little and are ended by a timeout, not by a budget.
	patient bool
}

// attacker writes frames into a buffer that goes out in large pieces.
type attacker struct {
	out    bytes.Buffer
	framer *http2.Framer
	next   uint32 // stream
	block  []byte // a head
}

func newAttacker() *attacker {
	a := &attacker{next: 1}
	a.framer = http2.NewFramer(&a.out, nil)
	a.framer.AllowIllegalWrites = true
	a.block = a.head("/payload")
	return a
}

// head is a block that changes no table, so that it can be sent again.
func (a *attacker) head(path string, more ...hpack.HeaderField) []byte {
	var b bytes.Buffer
	coder := hpack.NewEncoder(&b)
	coder.SetMaxDynamicTableSize(0)
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path}, {Name: ":authority", Value: host},
	}, more...) {
		_ = coder.WriteField(f)
	}
	return b.Bytes()
}

func (a *attacker) open(end bool) (stream uint32) {
	stream = a.next
	a.next += 2
	_ = a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: a.block, EndHeaders: true, EndStream: end})
	return stream
}

// openMany asks for answers that are larger than a window. They are not to keep the
// app busy, which shares the processors with the probe.
func (a *attacker) openMany(end bool) {
	a.block = a.head("/payload?size=100000")
	for range 100 {
		a.open(end)
	}
}

var noWindow = []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}

var attacks = []attack{
	{name: "rapid reset", repeat: func(a *attacker) {
		_ = a.framer.WriteRSTStream(a.open(true), http2.ErrCodeCancel)
	}},
	{name: "resets that we are made to send", repeat: func(a *attacker) {
		_ = a.framer.WriteWindowUpdate(a.open(false), 0)
	}},
	{name: "CONTINUATION without end", prepare: func(a *attacker) {
		_ = a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.block})
	}, repeat: func(a *attacker) { _ = a.framer.WriteContinuation(1, false, a.head("/")) }},
	{name: "empty CONTINUATION", prepare: func(a *attacker) {
		_ = a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.block})
	}, repeat: func(a *attacker) { _ = a.framer.WriteContinuation(1, false, nil) }},
	{name: "HPACK bomb", prepare: func(a *attacker) {
		// An entry of 4 KB in the table, and then heads that name it 4,000 times.
		var b bytes.Buffer
		coder := hpack.NewEncoder(&b)
		_ = coder.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 3900)})
		_ = a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: append(b.Bytes(), a.block...), EndHeaders: true, EndStream: true})
		a.next = 3
		a.block = append(bytes.Clone(a.block), bytes.Repeat([]byte{0x80 | 62}, 4000)...)
	}, repeat: func(a *attacker) { a.open(true) }},
	{name: "SETTINGS", repeat: func(a *attacker) {
		_ = a.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	}},
	{name: "empty SETTINGS", repeat: func(a *attacker) { _ = a.framer.WriteSettings() }},
	{name: "PING", repeat: func(a *attacker) { _ = a.framer.WritePing(false, [8]byte{1}) }},
	{name: "PRIORITY", repeat: func(a *attacker) { _ = a.framer.WritePriority(3, http2.PriorityParam{StreamDep: 1}) }},
	{name: "empty DATA", prepare: func(a *attacker) { a.open(false) }, repeat: func(a *attacker) { _ = a.framer.WriteData(1, false, nil) }},
	{name: "padding alone", prepare: func(a *attacker) { a.open(false) }, repeat: func(a *attacker) {
		_ = a.framer.WriteDataPadded(1, false, nil, make([]byte, 10))
	}},
	{name: "unknown frames", repeat: func(a *attacker) { _ = a.framer.WriteRawFrame(0xee, 0, 0, make([]byte, 64)) }},
	{name: "a window of single bytes", settings: noWindow, prepare: func(a *attacker) { a.openMany(true) }, repeat: func(a *attacker) {
		_ = a.framer.WriteWindowUpdate(1, 1)
	}},
	{name: "windows that go up and down", prepare: func(a *attacker) { a.openMany(true) }, repeat: func(a *attacker) {
		_ = a.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		_ = a.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	}},
	{name: "a closed window", settings: noWindow, prepare: func(a *attacker) { a.openMany(true) }, patient: true},
	{name: "uploads that stop", prepare: func(a *attacker) { a.openMany(false) }, patient: true},
}

// Whatever a client does on a connection of HTTP/2: others are answered as before,
// memory stays, and the connection ends.
func TestHTTP2_abuseEndsTheConnection(t *testing.T) {
	p := startHTTP2(t, "http2: {cleartext: true}\n"+shortLimits)
	judgeAbuse(t, p, newHTTP2Probe(t, "http://"+p.address), func() (net.Conn, error) { return net.Dial("tcp", p.address) })
}

// The same beneath TLS, where each frame costs us more.
func TestHTTP2_abuseOverTLSEndsTheConnection(t *testing.T) {
	p := startHTTP2(t, shortLimits)
	judgeAbuse(t, p, newHTTP2Probe(t, "https://"+p.secure), func() (net.Conn, error) {
		return tls.Dial("tcp", p.secure, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	})
}

const shortLimits = "limits: {body_timeout: 2s, body_grace: 2s, idle_timeout: 2s}\n"

// judgeAbuse holds p against every attack, each on a connection of dial.
func judgeAbuse(t *testing.T, p *proxy, probe *http2Probe, dial func() (net.Conn, error)) {
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	probe.ask(t)
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			before, _ := p.resources(t)
			p.resetPeak(t)
			ended := make(chan time.Duration, 1)
			go func() { ended <- attack.run(dial) }()
			worst, asked := time.Duration(0), 0
			var took time.Duration
			for running := true; running; asked++ {
				worst = max(worst, probe.ask(t))
				select {
				case took = <-ended:
					running = false
				default:
				}
			}
			now, _ := p.resources(t)
			t.Logf("ended after %v; worst of %d answers beside it %v; memory rose by %.1f MB",
				took.Round(time.Millisecond), asked, worst.Round(100*time.Microsecond), float64(now.peak-before.resident)/1024)
			if took >= attackTime {
				t.Error("the connection did not end")
			}
			if limit := slack(100 * time.Millisecond); full() && worst > limit {
				t.Errorf("worst answer beside it took %v, want at most %v", worst, limit)
			}
			if full() {
				p.expectPeak(t, before, 8<<10)
			}
		})
	}
}

// attackTime is how long an attack may last.
const attackTime = 20 * time.Second

// run attacks until the connection ends, and returns how long that took.
func (k attack) run(dial func() (net.Conn, error)) time.Duration {
	began := time.Now()
	conn, err := dial()
	if err != nil {
		return attackTime
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(began.Add(attackTime))
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, conn) // until it ends; what comes does not matter
	}()
	a := newAttacker()
	a.out.WriteString(http2.ClientPreface)
	_ = a.framer.WriteSettings(k.settings...)
	_ = a.framer.WriteWindowUpdate(0, 1<<30)
	if k.prepare != nil {
		k.prepare(a)
	}
	for !k.patient {
		if _, err := conn.Write(a.out.Bytes()); err != nil {
			break
		}
		a.out.Reset()
		for a.out.Len() < 32<<10 {
			k.repeat(a)
		}
	}
	if k.patient {
		_, _ = conn.Write(a.out.Bytes())
	}
	<-over
	return time.Since(began)
}

// http2Probe is an honest client of HTTP/2.
type http2Probe struct {
	client *http.Client
	url    string
}

func newHTTP2Probe(t *testing.T, base string) *http2Probe {
	transport := http2Transport(base)
	t.Cleanup(transport.CloseIdleConnections)
	return &http2Probe{client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, url: base + "/payload?size=100"}
}

// ask returns how long an answer took.
func (p *http2Probe) ask(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	res, err := p.client.Get(p.url)
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("probe: %d, %v", res.StatusCode, err)
	}
	took := time.Since(began)
	let(t, time.Millisecond)
	return took
}
