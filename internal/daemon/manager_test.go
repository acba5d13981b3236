package daemon

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// manager is a service manager that listens to us.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T) (*manager, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify")
	must(t, err)
	path := filepath.Join(dir, "n.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		_ = os.RemoveAll(dir)
	})
	return &manager{t: t, conn: conn}, path
}

// wants reads the next message, which has all of parts in it.
func (m *manager) wants(parts ...string) {
	m.t.Helper()
	must(m.t, m.conn.SetReadDeadline(time.Now().Add(patience)))
	message := make([]byte, 4096)
	n, err := m.conn.Read(message)
	must(m.t, err)
	for _, part := range parts {
		if !strings.Contains(string(message[:n]), part) {
			m.t.Errorf("got %q, want %q in it", message[:n], part)
		}
	}
}

// holdingApp is a target that answers /hold only at its end, and everything else
// at once. began is closed when /hold arrives.
func holdingApp(t *testing.T, began chan struct{}) (address string, end func()) {
	t.Helper()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			close(began)
			<-release
		}
	}))
	return s.Listener.Addr().String(), sync.OnceFunc(func() {
		close(release)
		s.Close()
	})
}

func TestNotifier_feedsTheWatchdog(t *testing.T) {
	m, path := newManager(t)
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "7"}
	unset := map[string]bool{}
	s := system{getenv: func(name string) string { return env[name] }, unsetenv: func(name string) error {
		unset[name] = true
		return nil
	}}
	if other := newNotifier(s, 8); other.watchdog != 0 {
		t.Errorf("got a watchdog of %s that is meant for another process", other.watchdog)
	}
	n := newNotifier(s, 7)
	if n.watchdog != 20*time.Millisecond || !unset["NOTIFY_SOCKET"] || !unset["WATCHDOG_USEC"] {
		t.Errorf("got %+v and unset %v", n, unset)
	}
	done := make(chan error, 1)
	go func() { done <- n.feed(t.Context()) }()
	m.wants("WATCHDOG=1")
	m.wants("WATCHDOG=1")
	t.Cleanup(func() { <-done }) // t.Context ends before
}

func TestNotifier_isSilentWithoutAManager(t *testing.T) {
	n := newNotifier(system{getenv: func(string) string { return "" }, unsetenv: func(string) error { return nil }}, 1)
	n.ready("fine")
	if err := n.feed(t.Context()); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}
