package proxy

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"
)

func TestPour_holdsNoPipeForClientsThatDoNotRead(t *testing.T) {
	var conns atomic.Int32
	body := payload(16 << 20) // more than the system takes for a client
	r := newRig(t, Settings{}, newService(largeAnswer(t, body, &conns).addr))
	const clients = 2 * maxPipes
	stalled := make([]*wire, clients)
	for i := range stalled {
		stalled[i] = r.wire()
		stalled[i].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		stalled[i].head()
	}
	eventually(t, "all pipes are free", func() bool {
		return openPipes.Load() > 0 && len(pipes) == int(openPipes.Load())
	})
	for _, w := range stalled {
		got := make([]byte, len(body))
		if _, err := io.ReadFull(w.r, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, body) {
			t.Fatal("the answer is not what the target sent")
		}
	}
}

func TestPour_copiesWhereAllPipesAreInUse(t *testing.T) {
	var conns atomic.Int32
	body := payload(2 << 20)
	r := newRig(t, Settings{}, newService(largeAnswer(t, body, &conns).addr))
	var held []*pipe
	for p := takePipe(); p != nil; p = takePipe() {
		held = append(held, p)
	}
	defer func() {
		for _, p := range held {
			p.putBack()
		}
	}()
	if len(held) == 0 || takePipe() != nil {
		t.Fatalf("took %d pipes", len(held))
	}
	w := r.wire()
	w.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	w.head()
	got := make([]byte, len(body))
	if _, err := io.ReadFull(w.r, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, body) {
		t.Error("the answer is not what the target sent")
	}
}
