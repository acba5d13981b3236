package daemon

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// notifier tells the service manager how we are, as sd_notify(3) says. The zero
// value tells nobody.
type notifier struct {
	socket   string
	watchdog time.Duration // how often it wants to hear from us; 0 is never
}

// newNotifier reads the variables of the service manager and removes them, so
// that no child speaks in our name.
func newNotifier(s system, pid int) notifier {
	n := notifier{socket: s.getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(s.getenv("WATCHDOG_USEC"), 10, 64)
	wanted := s.getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && (wanted == "" || wanted == strconv.Itoa(pid)) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = s.unsetenv(name) // the names are right, and nothing else can fail
	}
	return n
}

func (n notifier) ready(status string) { n.send("READY=1", "STATUS="+status) }
func (n notifier) stopping()           { n.send("STOPPING=1", "STATUS=Finishing requests") }

func (n notifier) reloading() {
	n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonicMicroseconds()), "STATUS=Reloading")
}

// send tells it in one datagram. Nobody depends on its arrival but the manager,
// who has a timeout.
func (n notifier) send(lines ...string) {
	if n.socket == "" {
		return
	}
	address := n.socket
	if strings.HasPrefix(address, "@") {
		address = "\x00" + address[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}

// feed keeps the watchdog of the service manager quiet until ctx ends.
func (n notifier) feed(ctx context.Context) error {
	if n.watchdog <= 0 {
		return nil
	}
	tick := time.NewTicker(n.watchdog / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			n.send("WATCHDOG=1")
		}
	}
}
