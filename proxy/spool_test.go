package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
)

// whole reads everything in s.
func whole(t *testing.T, s *spool) []byte {
	t.Helper()
	var b []byte
	for int64(len(b)) < s.size() {
		piece, err := s.at(int64(len(b)))
		if err != nil || len(piece) == 0 {
			t.Fatalf("at %d: got %d bytes and %v", len(b), len(piece), err)
		}
		b = append(b, piece...)
	}
	return b
}

func TestSpool_givesBackWhatItWasGiven(t *testing.T) {
	for _, room := range []int64{0, 1, firstPiece, 20_000, 100_000, 1 << 20} {
		for _, size := range []int{0, 1, firstPiece - 1, firstPiece, firstPiece + 1, firstPiece + nextPiece, 99_999, 100_000, 100_001, 300_000} {
			for _, step := range []int{1000, nextPiece, 1 << 20} {
				t.Run(fmt.Sprintf("%d of room, %d bytes by %d", room, size, step), func(t *testing.T) {
					disk := &spoolDisk{create: temporaryFile}
					s := &spool{room: room, disk: disk}
					body := payload(size)
					for rest := body; len(rest) > 0; {
						n := min(step, len(rest))
						if err := s.append(rest[:n]); err != nil {
							t.Fatal(err)
						}
						rest = rest[n:]
					}
					for range 2 { // as often as needed
						if got := whole(t, s); !bytes.Equal(got, body) {
							t.Fatalf("got %d bytes that are not the %d given", len(got), size)
						}
					}
					if s.held > room {
						t.Errorf("%d bytes stay in memory, want at most %d", s.held, room)
					}
					if wantFile := int64(size) > room; (disk.files.Load() == 1) != wantFile {
						t.Errorf("%d files, want one: %v", disk.files.Load(), wantFile)
					}
					s.close()
					if disk.files.Load() != 0 || s.size() != 0 {
						t.Errorf("closed, %d files and %d bytes are left", disk.files.Load(), s.size())
					}
				})
			}
		}
	}
}

func TestSpool_costsASmallBodyLittle(t *testing.T) {
	s := &spool{room: 1 << 20, disk: &spoolDisk{}}
	if err := s.append(payload(1000)); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if len(s.pieces) != 1 || cap(s.pieces[0]) != firstPiece {
		t.Errorf("%d pieces, the first of %d bytes, for a body of 1000", len(s.pieces), cap(s.pieces[0]))
	}
}

func TestSpool_freesWhatWasRead(t *testing.T) {
	s := &spool{room: 200_000, disk: &spoolDisk{create: temporaryFile}}
	defer s.close()
	body := payload(200_000)
	for rest := body; len(rest) > 0; rest = rest[min(1000, len(rest)):] {
		if err := s.append(rest[:min(1000, len(rest))]); err != nil {
			t.Fatal(err)
		}
	}
	const read = firstPiece + 2*nextPiece + 10
	s.free(read)
	for i, piece := range s.pieces {
		if freed := piece == nil; freed != (i < 3) {
			t.Errorf("piece %d is freed: %v", i, freed)
		}
	}
	piece, err := s.at(read)
	if err != nil || !bytes.HasPrefix(body[read:], piece) {
		t.Errorf("got other bytes behind what was freed, %v", err)
	}
}

func TestSpool_leavesNothingBesideItsDescriptor(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s := &spool{disk: &spoolDisk{create: temporaryFile}}
	defer s.close()
	if err := s.append([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v, want an empty folder", left, err)
	}
}

func TestSpool_failsWithoutAFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/gone")
	s := &spool{room: 3, disk: &spoolDisk{create: temporaryFile}}
	defer s.close()
	for range 2 {
		if err := s.append([]byte("four")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	if err := s.append([]byte("abc")); err != nil || string(whole(t, s)) != "abc" {
		t.Errorf("got %q and %v: a failure adds nothing", whole(t, s), err)
	}
}

// smallDisk is a file on a disk with room for so many bytes.
type smallDisk struct {
	spoolFile
	room int64
}

func (d *smallDisk) WriteAt(b []byte, off int64) (int, error) {
	if over := off + int64(len(b)) - d.room; over > 0 {
		n, _ := d.spoolFile.WriteAt(b[:max(int64(len(b))-over, 0)], off)
		return n, &os.PathError{Op: "write", Path: "spool", Err: syscall.ENOSPC}
	}
	return d.spoolFile.WriteAt(b, off)
}

func fullAfter(room int64) func() (spoolFile, error) {
	return func() (spoolFile, error) {
		file, err := temporaryFile()
		return &smallDisk{file, room}, err
	}
}

func TestSpool_addsAllOrNothing(t *testing.T) {
	s := &spool{disk: &spoolDisk{create: fullAfter(1500)}}
	defer s.close()
	body := payload(1000)
	if err := s.append(body); err != nil {
		t.Fatal(err)
	}
	if err := s.append(body); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	if got := whole(t, s); !bytes.Equal(got, body) {
		t.Errorf("got %d bytes, want the first piece alone", len(got))
	}
}

func TestSpool_tellsWhenItsFileIsShort(t *testing.T) {
	s := &spool{disk: &spoolDisk{create: func() (spoolFile, error) {
		file, err := temporaryFile()
		return &shortFile{file}, err
	}}}
	defer s.close()
	if err := s.append(payload(1000)); err != nil {
		t.Fatal(err)
	}
	if b, err := s.at(0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d bytes and %v", len(b), err)
	}
}

// shortFile loses the end of what is written.
type shortFile struct{ spoolFile }

func (f *shortFile) WriteAt(b []byte, off int64) (int, error) {
	_, err := f.spoolFile.WriteAt(b[:len(b)-1], off)
	return len(b), err
}

func TestSpool_makesNoFileFromTheReserve(t *testing.T) {
	room := newRoom(nil)
	room.limit.Store(2)
	disk := &spoolDisk{create: temporaryFile, room: &room}
	first, second, third := &spool{disk: disk}, &spool{disk: disk}, &spool{disk: disk}
	for _, s := range []*spool{first, second} {
		if err := s.append([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := third.append([]byte("x")); !errors.Is(err, errNoDescriptor) {
		t.Errorf("got %v, want %v", err, errNoDescriptor)
	}
	first.close()
	if err := third.append([]byte("x")); err != nil {
		t.Errorf("got %v although a file was closed", err)
	}
	second.close()
	third.close()
	if got := room.taken.Load(); got != 0 {
		t.Errorf("%d places are taken, want 0", got)
	}
}
