package proxy

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// proxyV2 is a header of version 2 for client and port.
func proxyV2(client string, port uint16) string {
	addr := netip.MustParseAddr(client).As4()
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"), addr[:]...)
	b = append(b, 192, 0, 2, 254)
	b = binary.BigEndian.AppendUint16(b, port)
	return string(binary.BigEndian.AppendUint16(b, 8443))
}

const localV2 = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"

// echoHeads answers with the head that it got, as the body.
func echoHeads(t *testing.T) string {
	return newRawTarget(t, func(c net.Conn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(head))+"\r\n\r\n"+head)
		}
	}).addr
}

func TestProxyHeader_namesTheClient(t *testing.T) {
	for _, c := range []struct{ name, header, want string }{
		{"v1", "PROXY TCP4 192.0.2.7 192.0.2.254 4711 8443\r\n", "192.0.2.7"},
		{"v2", proxyV2("192.0.2.7", 4711), "192.0.2.7"},
		{"v2 of the balancer", localV2, "127.0.0.1"},
		{"v1 of nobody", "PROXY UNKNOWN\r\n", "127.0.0.1"},
	} {
		for _, way := range []string{"plain", "TLS", "TLS at once"} {
			t.Run(c.name+" "+way, func(t *testing.T) {
				svc := newService(echoHeads(t))
				options := ListenerOptions{ProxyProtocol: loopback}
				a := newAuthority(t)
				if way != "plain" {
					options.TLS = only(a.issue("a"))
				}
				r := newRigWith(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: "/"}, options)
				conn := r.dial()
				if way == "TLS at once" { // header and handshake in one packet
					conn = &joined{Conn: conn, first: c.header}
				} else {
					_, _ = io.WriteString(conn, c.header[:5])
					_, _ = io.WriteString(conn, c.header[5:])
				}
				if way != "plain" {
					conn = tlsOver(conn, a)
				}
				for range 2 { // of one connection
					_, _ = io.WriteString(conn, plainGET)
					res, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil {
						t.Fatal(err)
					}
					if head := bodyOf(t, res); !strings.Contains(head, "X-Forwarded-For: "+c.want+"\r\n") {
						t.Errorf("got head\n%s\nwant client %s", head, c.want)
					} else if c.want == "192.0.2.7" && !strings.Contains(head, "X-Forwarded-Port: 8443\r\n") {
						t.Errorf("got head\n%s\nwant port 8443", head)
					}
				}
				eventually(t, "both lines are written", func() bool {
					return strings.Count(r.log.String(), `"client_addr":"`+c.want+`"`) == 2
				})
			})
		}
	}
}

func TestProxyHeader_isRefused(t *testing.T) {
	header := "PROXY TCP4 192.0.2.7 192.0.2.254 4711 80\r\n"
	for _, c := range []struct {
		name, raw string
		from      []netip.Prefix
	}{
		{"from another network", header + plainGET, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{"v2 from another network", proxyV2("192.0.2.7", 1) + plainGET, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{"where none is expected", header + plainGET, nil},
		{"when it is missing", plainGET, loopback},
		{"when it makes no sense", "PROXY TCP5 a b c d\r\n" + plainGET, loopback},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newService("127.0.0.1:1")
			r := newRigWith(t, Settings{}, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{ProxyProtocol: c.from})
			if res := r.ask(c.raw, "GET"); res.StatusCode != 400 {
				t.Errorf("got %d, want 400", res.StatusCode)
			}
			if strings.Contains(r.log.String(), "192.0.2.7") {
				t.Errorf("the header was believed:\n%s", r.log)
			}
		})
	}
}

func TestProxyHeader_mustComeInTime(t *testing.T) {
	svc := newService("127.0.0.1:1")
	r := newRigWith(t, Settings{HandshakeTimeout: 50 * time.Millisecond}, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{ProxyProtocol: loopback})
	for _, raw := range []string{"", "PROXY TCP4 192"} {
		conn := r.dial()
		_, _ = io.WriteString(conn, raw)
		if _, err := io.Copy(io.Discard, conn); timedOut(err) {
			t.Errorf("%q: connection was not cut", raw)
		}
	}
}

// The balancer has any number of connections, each client as many as it may.
func TestProxyHeader_countsTheClientNotTheBalancer(t *testing.T) {
	svc := newService(httpTarget(t, func(http.ResponseWriter, *http.Request) {}))
	r := newRigWith(t, Settings{MaxPerAddress: 2}, svc, &fixedRoutes{svc: svc, prefix: "/"}, ListenerOptions{ProxyProtocol: loopback})
	var held []*wire
	for i, c := range []struct {
		client string
		want   int
	}{{"192.0.2.1", 200}, {"192.0.2.1", 200}, {"192.0.2.2", 200}, {"192.0.2.1", 429}, {"192.0.2.2", 200}} {
		w := r.wire()
		w.send(proxyV2(c.client, 1) + plainGET)
		if res, _ := w.receive("GET"); res.StatusCode != c.want {
			t.Errorf("connection %d of %s: got %d, want %d", i, c.client, res.StatusCode, c.want)
		}
		held = append(held, w)
	}
	for _, w := range held {
		_ = w.Close()
	}
	eventually(t, "nobody is counted", func() bool {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		return len(r.server.seats.byAddress) == 0 && r.server.seats.extra == 0
	})
}
