//go:build !linux

package wire

import "time"

// Poller waits for sockets, on Linux.
type Poller struct{}

// NewPoller returns ErrNotLinux.
func NewPoller() (*Poller, error) { return nil, ErrNotLinux }

// Add returns ErrNotLinux.
func (*Poller) Add(int, int32) error { return ErrNotLinux }

// WatchWrites returns ErrNotLinux.
func (*Poller) WatchWrites(int, int32, bool) error { return ErrNotLinux }

// Wait returns ErrNotLinux.
func (*Poller) Wait(time.Duration) ([]Event, error) { return nil, ErrNotLinux }

// Close returns ErrNotLinux.
func (*Poller) Close() error { return ErrNotLinux }

// Address is a place to connect to.
type Address struct{}

// ParseAddress returns ErrNotLinux.
func ParseAddress(string) (Address, error) { return Address{}, ErrNotLinux }

// Listen returns ErrNotLinux.
func Listen(string) (int, error) { return -1, ErrNotLinux }

// Accept returns ErrNotLinux.
func Accept(int) (int, error) { return -1, ErrNotLinux }

// Connect returns ErrNotLinux.
func Connect(Address) (int, error) { return -1, ErrNotLinux }

// ConnectWindow returns ErrNotLinux.
func ConnectWindow(Address, int) (int, error) { return -1, ErrNotLinux }

// Read returns ErrNotLinux.
func Read(int, []byte) (int, error) { return 0, ErrNotLinux }

// Discard returns ErrNotLinux.
func Discard(int, int) (int, error) { return 0, ErrNotLinux }

// Write returns ErrNotLinux.
func Write(int, []byte) (int, error) { return 0, ErrNotLinux }

// WriteFile returns ErrNotLinux.
func WriteFile(int, int, int64, int) (int, error) { return 0, ErrNotLinux }

// Close does nothing.
func Close(int) {}

// Reset does nothing.
func Reset(int) {}

// MemoryFile returns ErrNotLinux.
func MemoryFile(int) (int, error) { return -1, ErrNotLinux }

// LocalAddress returns ErrNotLinux.
func LocalAddress(int) (string, error) { return "", ErrNotLinux }
