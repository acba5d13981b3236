package proxy

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// spool keeps a body: in memory up to a limit, the rest in a temporary file that
// has no name. It is written once, from its front to its end, and read from
// wherever, as often as needed. It has no lock.
type spool struct {
	room   int64 // for bytes in memory
	disk   *spoolDisk
	pieces [][]byte // all full but the last; nil once freed
	freed  int      // how many pieces were
	held   int64    // bytes in pieces, freed ones included
	file   spoolFile
	stored int64             // bytes in file
	buf    *[bodyBuffer]byte // what at returned of the file
}

// The sizes of the pieces of memory: a small body costs little, and a slow client
// that has sent the beginning of one too.
const (
	firstPiece = 4 << 10
	nextPiece  = bodyBuffer
)

var firstPieces = sync.Pool{New: func() any { return new([firstPiece]byte) }}

// size is how many bytes were appended.
func (s *spool) size() int64 { return s.held + s.stored }

// append adds all of b or, with an error, nothing.
func (s *spool) append(b []byte) error {
	if s.stored == 0 && s.held+int64(len(b)) <= s.room && !s.disk.sparesMemory() {
		s.hold(b)
		return nil
	}
	if s.file == nil {
		file, err := s.disk.open()
		if err != nil {
			return err
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(b, s.stored); err != nil {
		return err
	}
	s.stored += int64(len(b))
	return nil
}

func (s *spool) hold(b []byte) {
	s.held += int64(len(b))
	for len(b) > 0 {
		last := len(s.pieces) - 1
		if last < 0 || len(s.pieces[last]) == cap(s.pieces[last]) {
			s.pieces = append(s.pieces, newPiece(last < 0))
			last++
		}
		piece := s.pieces[last]
		n := min(cap(piece)-len(piece), len(b))
		s.pieces[last] = append(piece, b[:n]...)
		b = b[n:]
	}
}

func newPiece(first bool) []byte {
	if first {
		return firstPieces.Get().(*[firstPiece]byte)[:0]
	}
	return bodyBuffers.Get().(*[bodyBuffer]byte)[:0]
}

func givePiece(piece []byte) {
	if cap(piece) == firstPiece {
		firstPieces.Put((*[firstPiece]byte)(piece[:firstPiece]))
		return
	}
	bodyBuffers.Put((*[bodyBuffer]byte)(piece[:bodyBuffer]))
}

// place finds the byte at off, which is in memory.
func place(off int64) (piece, at int) {
	if off < firstPiece {
		return 0, int(off)
	}
	off -= firstPiece
	return 1 + int(off/nextPiece), int(off % nextPiece)
}

// at returns some of the bytes from off on, at least one where there is one.
// They are good until the next call, or until they are freed.
func (s *spool) at(off int64) ([]byte, error) {
	if off < s.held {
		piece, at := place(off)
		return s.pieces[piece][at:], nil
	}
	off -= s.held
	if s.buf == nil {
		s.buf = bodyBuffers.Get().(*[bodyBuffer]byte)
	}
	b := s.buf[:min(s.stored-off, bodyBuffer)]
	if n, err := s.file.ReadAt(b, off); n < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // somebody cut the file
		}
		return nil, err
	}
	return b, nil
}

// free gives back the memory of what stands before off. Once that is everything,
// nothing more may be appended to memory.
func (s *spool) free(off int64) {
	piece := len(s.pieces)
	if off < s.held {
		piece, _ = place(off)
	}
	for ; s.freed < piece; s.freed++ {
		givePiece(s.pieces[s.freed])
		s.pieces[s.freed] = nil
	}
}

// close gives everything back. A closed spool is empty.
func (s *spool) close() {
	s.free(s.size())
	if s.buf != nil {
		bodyBuffers.Put(s.buf)
	}
	if s.file != nil {
		s.disk.close(s.file)
	}
	*s = spool{room: s.room, disk: s.disk}
}

// spoolFile is where a spool keeps what memory has no room for.
type spoolFile interface {
	io.WriterAt
	io.ReaderAt
	io.Closer
}

// spoolDisk makes the files of a server's spools.
type spoolDisk struct {
	room   *room                     // in which a file counts as a connection does, nil for none; set once in New
	memory *pressure                 // where it is tight bodies go to files at once, nil for never; set once in New
	create func() (spoolFile, error) // set once in New
	most   int64                     // bytes of one answer that is read ahead; set once in New
	files  atomic.Int64              // open now
	errors atomic.Uint64
	warned seldom
}

// spoolMost is how far a target may be ahead of its client on disk.
const spoolMost = 1 << 30

// temporaryFile makes a file that is gone once it is closed, however that comes
// to be. The system's folder for such files is TMPDIR's.
func temporaryFile() (spoolFile, error) {
	file, err := os.CreateTemp("", "upfront-spool-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func (d *spoolDisk) open() (spoolFile, error) {
	if !d.take() {
		return nil, errNoDescriptor
	}
	file, err := d.create()
	if err != nil {
		d.giveBack()
		return nil, err
	}
	return file, nil
}

func (d *spoolDisk) close(file spoolFile) {
	_ = file.Close() // what was in it is not needed any more
	d.giveBack()
}

var errNoDescriptor = errors.New("no descriptor left for a temporary file")

// sparesMemory reports whether memory is so short that it takes no more of a body.
func (d *spoolDisk) sparesMemory() bool { return d.memory != nil && d.memory.now() >= tight }

// take counts a file that is about to be made, and reports false when there are so
// many that connections to targets would take from the reserve.
func (d *spoolDisk) take() bool {
	files := d.files.Add(1)
	if d.room == nil {
		return true
	}
	if !d.room.holds(files) {
		d.files.Add(-1)
		return false
	}
	d.room.take()
	return true
}

func (d *spoolDisk) giveBack() {
	d.files.Add(-1)
	if d.room != nil {
		d.room.giveBack()
	}
}

// warnEvery keeps a full disk from filling the log.
const warnEvery = 10 * time.Second

// failed counts a failure, and tells the operator now and then.
func (d *spoolDisk) failed(log *zap.Logger, err error) {
	d.errors.Add(1)
	if d.warned.due(warnEvery) {
		log.Warn("Spool failed", zap.Error(err))
	}
}
