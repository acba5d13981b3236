package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

func TestServer_filesLeaveRoomForAConnectionOfEachClient(t *testing.T) {
	const limit = 3
	taken, goOn := make(chan int64, 9), make(chan struct{})
	var r *rig
	target := newRawTarget(t, func(c net.Conn, b *bufio.Reader) {
		if _, err := readHead(b); err != nil {
			return
		}
		taken <- r.server.room.taken.Load()
		<-goOn
		_, _ = io.WriteString(c, ok("x"))
	})
	answer := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(answer)
	r = newRig(t, Settings{MaxConnections: limit}, gathering(target.addr))
	r.server.room.limit.Store(limit)
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 2*bufferRoom)
	body := string(payload(2 * bufferRoom))
	first, second := r.wire(), r.wire()
	first.send(head)
	second.send(head)
	r.awaitSpooled(2)
	first.send(body)
	if n := next(t, taken); n > limit {
		t.Errorf("%d places are taken, there are %d", n, limit)
	}
	second.send(body) // two clients and two files are one more than there is room for
	if res, _ := second.receive("POST"); res.StatusCode != 503 {
		t.Errorf("got %d, want 503", res.StatusCode)
	}
	_ = second.Close()
	eventually(t, "it has gone", func() bool { return r.server.Counters()["upfront_connections"] == 1 })
	other := r.wire()
	other.send(plainGET)
	if n := next(t, taken); n > limit {
		t.Errorf("%d places are taken, there are %d", n, limit)
	}
	late := r.wire() // its connection would have no room
	late.send(plainGET)
	eventually(t, "it waits for a seat", func() bool { return r.server.counters.SeatWaits.Load() == 1 })
	answer()
	if res, _ := late.receive("GET"); res.StatusCode != 200 {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
}

// What probes keep fills the room that is left, and goes before anything else does.
func TestRoom_probesMakeRoom(t *testing.T) {
	kept := 0
	var r room
	r = newRoom(func() bool {
		if kept == 0 {
			return false
		}
		kept--
		r.giveBack()
		return true
	})
	r.limit.Store(10)
	r.take()
	for range 20 {
		if r.takeSpare() {
			kept++
		}
	}
	if kept != 9 {
		t.Errorf("probes keep %d connections beside one of 10, want 9", kept)
	}
	for range 4 {
		r.take()
	}
	if taken := r.taken.Load(); kept != 5 || taken != 10 {
		t.Errorf("probes keep %d beside 5, and %d are taken, want 5 and 10", kept, taken)
	}
}
