package proxy

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"upfront/balancer"
)

// BenchmarkCost is what each thing costs a request that is done for it unasked and
// that no setting switches off; `go run ./bench --scenario cost` puts it into its
// table beside those that can be switched.
func BenchmarkCost(b *testing.B) {
	c := &client{
		server: &Server{}, workspace: &workspace{},
		connInfo: connInfo{addr: netip.MustParseAddrPort("192.0.2.1:5000"), port: "80"},
	}
	c.req.Host = []byte("shop.example.com")
	x := &exchange{c: c, status: 200}
	b.Run("metrics", func(b *testing.B) {
		for b.Loop() {
			x.record()
		}
	})
	b.Run("request-id", func(b *testing.B) {
		for b.Loop() {
			x.id.make()
		}
	})
	b.Run("forwarded-headers", func(b *testing.B) {
		line := make([]byte, 0, 512)
		for b.Loop() {
			line = x.appendForwarded(line[:0])
		}
	})
	b.Run("passive-health", func(b *testing.B) {
		target := balancer.NewTarget(balancer.TargetOptions{Address: "192.0.2.2:80"})
		for b.Loop() {
			target.Succeeded()
		}
	})
	b.Run("a-deadline", func(b *testing.B) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		for b.Loop() {
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		}
	})
}
