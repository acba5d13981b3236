package load

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"upfront/bench/wire"
)

// startSlow runs n slow clients until end is called, which says what became of them.
func startSlow(t *testing.T, kind int, address string, n int) (opened <-chan struct{}, end func() SlowResult) {
	t.Helper()
	there, stop, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var became SlowResult
	var err error
	go func() {
		defer close(over)
		became, err = RunSlow(Slownesses[kind], address, n, func() { close(there) }, stop)
	}()
	return there, func() SlowResult {
		close(stop)
		<-over
		if errors.Is(err, wire.ErrNotLinux) {
			t.Skip(err)
		}
		if err != nil {
			t.Error(err)
		}
		return became
	}
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Errorf("waited in vain for %s", what)
	}
}

func TestRunSlow_countsThoseThatAreCut(t *testing.T) {
	const n = 20
	ended := make(chan struct{}, n)
	address := app(t, func(conn net.Conn) {
		_, _ = bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		ended <- struct{}{}
	})
	opened, end := startSlow(t, 0, address, n)
	await(t, opened, "all to be opened")
	for range n {
		await(t, ended, "a connection to be cut")
	}
	// The last of them may have ended before their cut was noted.
	if got := end(); got.Opened != n || got.Cut > n || got.Last < got.First {
		t.Errorf("got %+v, want %d opened", got, n)
	}
}

func TestRunSlow_holdsWhatNobodyCuts(t *testing.T) {
	for kind, s := range Slownesses {
		t.Run(s.Name, func(t *testing.T) {
			const n = 20
			got := make(chan int, n)
			address := app(t, func(conn net.Conn) {
				b, _ := io.ReadAll(conn)
				got <- len(b)
			})
			opened, end := startSlow(t, kind, address, n)
			await(t, opened, "all to be opened")
			became := end()
			if want := (SlowResult{Opened: n}); became != want {
				t.Errorf("got %+v, want %+v", became, want)
			}
			for range n {
				select {
				case size := <-got:
					if size < len(s.open) {
						t.Errorf("got %d bytes, want the %d that open a request", size, len(s.open))
					}
				case <-time.After(20 * time.Second):
					t.Fatal("a connection was not ended")
				}
			}
		})
	}
}
