package proxy

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestServer_dropsNamesWithUnderscoresUnlessToldTo(t *testing.T) {
	heads := make(chan string, 1)
	target := scripted(t, func(head string, c net.Conn, _ *bufio.Reader) {
		heads <- head
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX_Of_Target: 1\r\nContent-Length: 0\r\n\r\n")
	})
	harmless := []string{"X_Api_Key", "cf_connecting_ip", "_", "X-With_both"}
	never := []string{
		"X_Forwarded_For", "x_forwarded-proto", "X_Forwarded_Anything", "X_Real_IP", "Content_Length", "Transfer_Encoding",
		"HTTP2_Settings", "User_Agent", "X_Request_Id", "Proxy_Connection",
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, s := range []Settings{{}, {TrustedProxies: trusted}, {KeepUnderscores: true}, {KeepUnderscores: true, TrustedProxies: trusted}} {
		r := newRig(t, s, newService(target.addr))
		w := r.wire()
		w.send("GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(harmless, never...), ": 1\r\n") + ": 1\r\n\r\n")
		if answer := w.head(); !strings.Contains(answer, "X_Of_Target: 1") {
			t.Errorf("%+v: the answer lost a name: %q", s, answer)
		}
		head := next(t, heads)
		for _, name := range harmless {
			if got := strings.Contains(head, "\r\n"+name+": 1\r\n"); got != s.KeepUnderscores {
				t.Errorf("keep %v: passed %s on: %v", s.KeepUnderscores, name, got)
			}
		}
		for _, name := range never {
			if strings.Contains(head, "\r\n"+name+": 1\r\n") {
				t.Errorf("keep %v: passed %s on", s.KeepUnderscores, name)
			}
		}
	}
}
