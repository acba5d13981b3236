package proxy

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// leaveWatch notices clients that leave while their exchange waits for a target.
// It is one epoll instance for all connections, edge-triggered on the peer's
// end of the stream only: a request costs it nothing, a connection one system
// call, and no goroutine or buffer waits per connection.
type leaveWatch struct {
	file *os.File
	raw  syscall.RawConn

	mu      sync.Mutex
	next    int32
	clients map[int32]*client // guarded by mu; by a number of our own, since descriptors are reused
	fresh   []int32           // guarded by mu; those that are not in the epoll set yet
	sweepAt time.Time         // guarded by mu; zero while nobody is parked
}

// watchDelay is how old a connection has to be to be watched. One that has come and
// gone by then has cost no system call.
const watchDelay = 20 * time.Millisecond

func newLeaveWatch() (*leaveWatch, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	// The runtime's own poller waits for ours, so that no thread does.
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &leaveWatch{file: file, raw: raw, clients: make(map[int32]*client)}, nil
}

// epollET is EPOLLET, which package syscall has with the wrong sign.
const epollET = 1 << 31

func (w *leaveWatch) add(c *client) {
	if c.raw == nil {
		return
	}
	w.mu.Lock()
	for w.next++; w.clients[w.next] != nil; w.next++ {
	}
	c.watched = w.next
	w.clients[c.watched] = c
	if len(w.fresh) == 0 {
		_ = w.file.SetReadDeadline(time.Now().Add(watchDelay)) // wakes run
	}
	w.fresh = append(w.fresh, c.watched)
	w.mu.Unlock()
}

// watchFresh puts those that came lately into the epoll set. An end that one has
// sent meanwhile is reported at once.
func (w *leaveWatch) watchFresh() {
	w.mu.Lock()
	list := make([]*client, 0, len(w.fresh))
	for _, number := range w.fresh {
		if c := w.clients[number]; c != nil {
			list = append(list, c)
		}
	}
	w.fresh = w.fresh[:0]
	if cap(w.fresh) > maxFresh {
		w.fresh = nil
	}
	w.mu.Unlock()
	for _, c := range list {
		_ = w.control(c, syscall.EPOLL_CTL_ADD, untilEnd) // closed meanwhile, or parked
	}
}

// untilEnd is what is watched for while a client has a goroutine.
const untilEnd = syscall.EPOLLRDHUP | epollET

func (w *leaveWatch) control(c *client, op int, events uint32) (err error) {
	closed := c.raw.Control(func(fd uintptr) {
		event := syscall.EpollEvent{Events: events, Fd: c.watched}
		err = syscall.EpollCtl(w.fd(), op, int(fd), &event)
	})
	return errors.Join(closed, err)
}

// maxFresh is the most numbers for which storage is kept.
const maxFresh = 1024

// remove forgets c; closing its descriptor takes it out of the epoll set.
func (w *leaveWatch) remove(c *client) {
	w.mu.Lock()
	delete(w.clients, c.watched)
	w.mu.Unlock()
}

func (w *leaveWatch) fd() (fd int) {
	_ = w.raw.Control(func(f uintptr) { fd = int(f) })
	return fd
}

// run tells clients that they left until ctx ends.
func (w *leaveWatch) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = w.file.Close() })
	defer stop()
	for timedOut(w.tell()) {
		w.watchFresh()
		w.closeExpired()
		w.mu.Lock()
		next := w.sweepAt
		if len(w.fresh) > 0 {
			next = time.Now().Add(watchDelay)
		}
		_ = w.file.SetReadDeadline(next)
		w.mu.Unlock()
	}
}

// tell tells clients that they left, until new ones are to be watched or the watch
// is closed.
func (w *leaveWatch) tell() error {
	const ended = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	var events [64]syscall.EpollEvent
	return w.raw.Read(func(fd uintptr) bool {
		for {
			n, err := syscall.EpollWait(int(fd), events[:], 0)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return err != nil
			}
			for _, event := range events[:n] {
				w.mu.Lock()
				c := w.clients[event.Fd]
				w.mu.Unlock()
				switch {
				case c == nil:
				case w.unpark(c):
					c.server.running.Go(c.run)
				case event.Events&ended != 0:
					c.leave()
				}
			}
		}
	})
}
