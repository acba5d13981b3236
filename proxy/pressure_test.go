package proxy

import (
	"bufio"
	"io"
	"math"
	"net"
	"runtime/debug"
	"testing"
	"time"
)

func TestLevel_next(t *testing.T) {
	for _, c := range []struct {
		from  level
		share int
		want  level
	}{
		{ample, 0, ample},
		{ample, 79, ample},
		{ample, 80, tight},
		{ample, 89, tight},
		{ample, 90, short},
		{ample, 99, short},
		{ample, 250, out},
		{tight, 71, tight},
		{tight, 69, ample},
		{short, 80, short},
		{short, 79, tight},
		{short, 69, ample},
		{out, 90, out},
		{out, 89, short},
		{out, 79, tight},
		{out, 0, ample},
	} {
		if got := c.from.next(c.share); got != c.want {
			t.Errorf("%s at %d %%: got %s, want %s", c.from, c.share, got, c.want)
		}
	}
}

func TestLevel_credit(t *testing.T) {
	const limit = 100 << 20
	for _, c := range []struct {
		held uint64
		want int64
	}{
		{0, 90 * (limit / 100) / clientCost},
		{limit / 2, (90*(limit/100) - limit/2) / clientCost},
		{limit / 100 * 90, leastCredit},
		{2 * limit, leastCredit},
	} {
		if got := ample.credit(memory{limit: limit, held: c.held}); got != c.want {
			t.Errorf("%d MiB held: got %d, want %d", c.held>>20, got, c.want)
		}
	}
}

func TestMemory_share(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name string
		m    memory
		want int
	}{
		{"garbage does not count", memory{limit: 100 * mib, used: 50 * mib, held: 99 * mib}, 50},
		{"garbage that cannot be collected in time does", memory{limit: 100 * mib, used: 50 * mib, held: 120 * mib}, 120},
		{"a tiny limit", memory{limit: 10, used: 9, held: 9}, 9},
	} {
		if got := c.m.share(); got != c.want {
			t.Errorf("%s: got %d %%, want %d %%", c.name, got, c.want)
		}
	}
	if (memory{limit: math.MaxInt64}).limited() || !(memory{limit: mib}).limited() {
		t.Error("a limit is not told from none")
	}
}

func TestMemoryMeter_readsWhatTheRuntimeHolds(t *testing.T) {
	meter := newMemoryMeter()
	debug.FreeOSMemory() // or the block takes what tests before this one left
	before := meter.read()
	if before.held < 1<<20 || before.used > before.held+before.held/2 || before.limit == 0 {
		t.Fatalf("got %+v", before)
	}
	block := make([]byte, 64<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	if after := meter.read(); after.held < before.held+32<<20 {
		t.Errorf("got %d MiB held, and %d MiB with 64 MiB more", before.held>>20, after.held>>20)
	}
	_ = block[0]
}

func TestServer_keepsNoConnectionWhereMemoryIsTight(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	w := r.wire()
	w.send(plainGET)
	if res, _ := w.receive("GET"); res.Close {
		t.Fatal("connection is not kept although memory is ample")
	}
	r.server.pressure.level.Store(int32(tight))
	w.send(plainGET)
	if res, _ := w.receive("GET"); res.StatusCode != 200 || !res.Close {
		t.Errorf("got %d, close %v", res.StatusCode, res.Close)
	}
}

func TestServer_shedsNewRequestsWhereMemoryIsShort(t *testing.T) {
	goOn, asked := make(chan struct{}), make(chan struct{}, 8)
	target := scripted(t, func(_ string, c net.Conn, _ *bufio.Reader) {
		asked <- struct{}{}
		next(t, goOn)
		_, _ = io.WriteString(c, ok("x"))
	})
	svc := newService(target.addr)
	svc.HealthPaths = []string{"/up"}
	r := newRig(t, Settings{}, svc)
	underWay := r.wire()
	underWay.send(plainGET)
	next(t, asked)
	r.server.pressure.level.Store(int32(short))
	for _, request := range []string{
		plainGET, "GET /up HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
	} {
		w := r.wire()
		w.send(request)
		res, _ := w.receive("GET")
		if res.StatusCode != 503 || !res.Close || res.Header.Get("Retry-After") == "" {
			t.Errorf("%q: got %d, close %v, %q", request, res.StatusCode, res.Close, res.Header)
		}
		w.ends(true)
	}
	if len(asked) != 0 {
		t.Errorf("target was asked %d times", len(asked))
	}
	if got := r.server.Counters()["upfront_requests_shed_total"]; got != 4 {
		t.Errorf("%d were counted, want 4", got)
	}
	svc.Gate.Stop("")
	w := r.wire()
	w.send("GET /up HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := w.receive("GET"); res.StatusCode != 200 {
		t.Errorf("got %d for a health check of a stopped service", res.StatusCode)
	}
	close(goOn)
	if res, body := underWay.receive("GET"); body != "x" || !res.Close {
		t.Errorf("what was under way got %q, close %v", body, res.Close)
	}
}

func TestServer_letsConnectionsWaitWhereMemoryHasNoRoom(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	r.server.pressure.credit.Store(2)
	r.server.pressure.on.Store(true)
	for range 2 {
		w := r.wire()
		w.send(plainGET)
		w.receive("GET")
	}
	third := r.wire()
	third.send(plainGET)
	eventually(t, "the third waits", func() bool { return r.server.counters.SeatWaits.Load() == 1 })
	if got := r.server.Counters()["upfront_connections"]; got != 2 {
		t.Errorf("got %d clients, want 2", got)
	}
	if got := r.server.counters.IdleClosed.Load(); got != 0 {
		t.Errorf("%d idle connections were closed", got)
	}
	r.server.feel(memory{limit: 100 << 20, held: 10 << 20, used: 10 << 20})
	if _, body := third.receive("GET"); body != "x" {
		t.Errorf("got %q", body)
	}
}

func TestServer_feel_shedsOnlyWhatManyClientsHold(t *testing.T) {
	r := newRig(t, Settings{}, newService(answering(t, ok("x")).addr))
	full := memory{limit: 100 << 20, held: 95 << 20, used: 95 << 20}
	var idle []*wire
	for len(idle) < fewClients-1 {
		w := r.wire()
		w.send(plainGET)
		w.receive("GET")
		idle = append(idle, w)
	}
	r.server.feel(full)
	if got := r.server.pressure.now(); got != ample {
		t.Errorf("got %s with %d clients", got, len(idle))
	}
	eventually(t, "the first idles for long enough", func() bool {
		n := 0
		r.server.each(func(c *client) {
			if since := c.idleSince.Load(); since > 0 && time.Since(time.Unix(0, since)) > hot {
				n++
			}
		})
		return n == len(idle)
	})
	last := r.wire()
	last.send(plainGET)
	last.receive("GET")
	r.server.feel(full)
	if got := r.server.pressure.now(); got != short {
		t.Errorf("got %s with %d clients", got, fewClients)
	}
	for _, w := range idle {
		w.ends(true)
	}
	eventually(t, "they have gone", func() bool { return r.server.Counters()["upfront_connections"] == 1 })
	r.server.feel(full)
	if got := r.server.pressure.now(); got != ample {
		t.Errorf("got %s when the clients have gone", got)
	}
}

func TestServer_hurriesHeadsWhereMemoryIsShort(t *testing.T) {
	r := newRig(t, Settings{HeadTimeout: -1}, newService(answering(t, ok("x")).addr))
	r.server.pressure.level.Store(int32(short))
	w := r.wire()
	w.send("GET / HT")
	if res, _ := w.receive("GET"); res.StatusCode != 408 {
		t.Errorf("got %d", res.StatusCode)
	}
	w.ends(true)
}
