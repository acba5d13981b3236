package wire

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Poller waits for sockets. One goroutine may use it.
type Poller struct {
	fd     int
	raw    [512]unix.EpollEvent
	events [512]Event
	coarse bool // the kernel is older than epoll_pwait2, and counts milliseconds
}

// NewPoller returns a poller without sockets.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	// Without this, a wait of 100 µs lasts 150.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return &Poller{fd: fd}, nil
}

// Add reports from now on when fd can be read, under token. A closed fd is forgotten.
func (p *Poller) Add(fd int, token int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: token})
}

// WatchWrites reports, or no longer reports, when fd can be written.
func (p *Poller) WatchWrites(fd int, token int32, on bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: token}
	if on {
		event.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &event)
}

// Wait returns what happened, after timeout at the latest; negative waits for ever. The
// events are overwritten by the next call.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	n, err := p.wait(timeout)
	if errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i, raw := range p.raw[:n] {
		p.events[i] = Event{
			Token:    raw.Fd,
			Readable: raw.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			Writable: raw.Events&unix.EPOLLOUT != 0,
		}
	}
	return p.events[:n], nil
}

func (p *Poller) wait(timeout time.Duration) (int, error) {
	if timeout == 0 {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
			uintptr(unsafe.Pointer(&p.raw[0])), uintptr(len(p.raw)), 0, 0, 0)
		return int(n), errOf(errno)
	}
	if timeout < 0 {
		return unix.EpollWait(p.fd, p.raw[:], -1)
	}
	if !p.coarse {
		until := unix.NsecToTimespec(timeout.Nanoseconds())
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.raw[0])),
			uintptr(len(p.raw)), uintptr(unsafe.Pointer(&until)), 0, 0)
		if errno != unix.ENOSYS {
			return int(n), errOf(errno)
		}
		p.coarse = true
	}
	return unix.EpollWait(p.fd, p.raw[:], int(timeout.Milliseconds()))
}

// Close gives the poller back; its sockets stay.
func (p *Poller) Close() error { return unix.Close(p.fd) }

// errOf is nil for no error, which a plain conversion is not.
func errOf(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
