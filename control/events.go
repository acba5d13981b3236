package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"upfront/api"
)

const (
	// eventRoom is how many progress lines may wait for a slow reader before
	// further ones are dropped.
	eventRoom = 64
	// eventTimeout is how long the reader may take to accept one line.
	eventTimeout = 5 * time.Second
)

// eventStream writes the events of one call. Its own goroutine does the writing,
// so that a reader that stopped (Ctrl-Z) never holds up the call.
type eventStream struct {
	w       http.ResponseWriter
	queue   chan api.Progress
	written sync.WaitGroup

	mu       sync.Mutex
	started  bool // guarded by mu; the writing goroutine runs
	finished bool // guarded by mu; queue is closed

	broken bool // owned by the writing goroutine, then by finish
}

func newEventStream(w http.ResponseWriter) *eventStream {
	return &eventStream{w: w, queue: make(chan api.Progress, eventRoom)}
}

// progress queues one line. The first one settles the status of the answer: 200.
// It never blocks; what comes after finish is dropped.
func (e *eventStream) progress(p api.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.finished {
		return
	}
	if !e.started {
		e.started = true
		e.written.Go(e.write)
	}
	select {
	case e.queue <- p:
	default:
	}
}

// finish writes the last line. It returns err when nothing has been written yet:
// then err still gets a status of its own.
func (e *eventStream) finish(result *api.Result, err error) error {
	e.mu.Lock()
	e.finished = true
	close(e.queue)
	started := e.started
	e.mu.Unlock()
	e.written.Wait()
	if err != nil && !started {
		return err
	}
	switch {
	case err != nil:
		e.line(api.Event{Error: asError(err, api.CodeInternal)})
	case result == nil:
		e.line(api.Event{Result: &api.Result{}})
	default:
		e.line(api.Event{Result: result})
	}
	return nil
}

// write runs until the queue is closed and empty.
func (e *eventStream) write() {
	for p := range e.queue {
		e.line(api.Event{Progress: &p})
	}
}

func (e *eventStream) line(event api.Event) {
	if e.broken {
		return
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		panic("BUG: encode event: " + err.Error())
	}
	e.w.Header().Set("Content-Type", api.ContentTypeEvents)
	// A deadline in the past of an earlier line must not end a later one.
	control := http.NewResponseController(e.w)
	_ = control.SetWriteDeadline(time.Now().Add(eventTimeout))
	_, err := e.w.Write(line.Bytes())
	if err == nil {
		err = control.Flush()
	}
	e.broken = err != nil
}
