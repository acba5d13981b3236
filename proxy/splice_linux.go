package proxy

import (
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// splicing moves bytes from one socket to another through a pipe, which takes their
// pages and copies nothing. It is part of a pour, and takes from the sender only what
// the receiver's system has room for: so the pipe is empty again before anybody waits.
type splicing struct {
	pipe   *pipe
	most   int // that may be moved at once
	in     int // bytes in the pipe
	room   int
	failed error

	measure     func(fd uintptr) // bound once
	fill, drain func(fd uintptr) bool
}

const (
	// spliceLeast is the room below which copying is as good.
	spliceLeast = 64 << 10
	// pipeSize is how much a pipe may hold; a kernel that refuses has its default.
	pipeSize = 256 << 10
)

// roomToSplice returns how much the receiver takes at once, 0 when that is not worth a
// splice.
func (p *pour) roomToSplice() int {
	s := &p.splicing
	if s.measure == nil {
		s.measure, s.fill, s.drain = p.measureRoom, p.fillPipe, p.drainPipe
	}
	s.room = 0
	if err := p.to.raw.Control(s.measure); err != nil || s.room < spliceLeast {
		return 0
	}
	return s.room
}

// The fields of SO_MEMINFO that are looked at.
const (
	memSendBuffer = 3
	memQueued     = 5
	memFields     = 9
)

// measureRoom: what is not under way to the client stays within maxUnsent, and
// everything within the socket's buffer, of which the kernel's own bookkeeping takes
// a part.
func (p *pour) measureRoom(fd uintptr) {
	unsent, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD)
	if err != nil {
		return
	}
	var mem [memFields]uint32
	size := uint32(unsafe.Sizeof(mem))
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&mem)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return
	}
	free := int(mem[memSendBuffer]) - int(mem[memQueued])
	p.splicing.room = min(maxUnsent-unsent, free-free/4, pipeSize)
}

// splice moves up to most bytes, for which the receiver must have room, and waits for
// the first of them. What fails is either the sender's or the receiver's fault.
func (p *pour) splice(most int) (n int, fromFailed, toFailed error) {
	s := &p.splicing
	s.most, s.failed = most, nil
	defer p.putPipe()
	if err := p.from.raw.Read(s.fill); err != nil {
		return 0, err, nil
	}
	if s.failed != nil {
		return 0, s.failed, nil
	}
	moved := s.in
	p.to.armWrite(time.Now(), p.patience)
	if err := p.to.writeRaw(s.drain, s.drain); err != nil {
		return moved - s.in, nil, err
	}
	return moved - s.in, nil, s.failed
}

func (p *pour) fillPipe(fd uintptr) bool {
	s := &p.splicing
	if s.pipe == nil {
		if s.pipe = takePipe(); s.pipe == nil {
			s.failed = errNoPipe
			return true
		}
	}
	n, errno := spliceOnce(fd, s.pipe.to, s.most)
	switch {
	case errno == syscall.EAGAIN:
		p.putPipe()
		return false
	case errno != 0:
		s.failed = os.NewSyscallError("splice", errno)
	case n == 0:
		s.failed = io.EOF
	}
	s.in = n
	return true
}

// drainPipe waits with the pipe in hand only if the receiver takes less than it said.
func (p *pour) drainPipe(fd uintptr) bool {
	s := &p.splicing
	for s.in > 0 {
		n, errno := spliceOnce(s.pipe.from, fd, s.in)
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			s.failed = os.NewSyscallError("splice", errno)
			return true
		}
		s.in -= n
	}
	return true
}

func (p *pour) putPipe() {
	s := &p.splicing
	if s.pipe == nil {
		return
	}
	if s.in > 0 {
		s.pipe.close()
	} else {
		s.pipe.putBack()
	}
	s.pipe, s.in = nil, 0
}

func spliceOnce(from, to uintptr, most int) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, from, 0, to, 0, uintptr(most),
			unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// pipe is a pipe that is empty while nobody has it.
type pipe struct{ from, to uintptr }

// maxPipes is how many there are at most; their descriptors are among the reserve. As
// nobody waits with one, they serve any number of exchanges.
const maxPipes = 4

var (
	pipes     = make(chan *pipe, maxPipes) // those that nobody has
	openPipes atomic.Int32
)

// takePipe returns nil where all are in use, or descriptors are scarce.
func takePipe() *pipe {
	select {
	case p := <-pipes:
		return p
	default:
	}
	var ends [2]int
	if openPipes.Add(1) > maxPipes || unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		openPipes.Add(-1)
		return nil
	}
	_, _ = unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, pipeSize)
	return &pipe{from: uintptr(ends[0]), to: uintptr(ends[1])}
}

func (p *pipe) putBack() { pipes <- p }

func (p *pipe) close() {
	_ = unix.Close(int(p.from))
	_ = unix.Close(int(p.to))
	openPipes.Add(-1)
}
