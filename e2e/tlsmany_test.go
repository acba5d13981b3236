package e2e

import (
	"crypto/tls"
	"testing"
	"time"

	"upfront/api"
)

// A handshake costs as much with 10,000 certificates as with 10.
func TestTLS_manyCertificatesCostNoHandshake(t *testing.T) {
	few, many := newHoard(t, 10), newHoard(t, scale(500, 10_000))
	few.shake(t, 50)
	many.shake(t, 50)
	for range 4 { // in turns, so that what disturbs disturbs both
		few.shake(t, scale(25, 1000))
		many.shake(t, scale(25, 1000))
	}
	one, other := few.each(), many.each()
	t.Logf("CPU of a handshake: %v with %d certificates, %v with %d; with all of them %.1f ms a second go into looking at their files",
		one, few.size, other, many.size, float64(many.atRest)/float64(time.Millisecond))
	if full() && float64(other) > 1.15*float64(one) {
		t.Errorf("a handshake takes %v with %d certificates and %v with %d", other, many.size, one, few.size)
	}
}

// hoard is a proxyd with many certificates.
type hoard struct {
	*proxy
	size   int
	atRest time.Duration // CPU of a second
	used   time.Duration
	shaken int
}

func newHoard(t *testing.T, size int) *hoard {
	t.Helper()
	a, dir, app := newAuthority(t), t.TempDir(), whoAsks(t)
	h := &hoard{proxy: startProxy(t, proxyOptions{https: "127.0.0.1:0"}), size: size}
	for first := 0; first < size; first += inService {
		spec := api.Spec{TLS: &api.TLS{}}
		for i := first; i < min(first+inService, size); i++ {
			certificate, private, _ := a.files(t, dir, "c"+itoa(i), hoardName(i))
			spec.Hosts = append(spec.Hosts, hoardName(i))
			spec.TLS.Certificates = append(spec.TLS.Certificates, api.CertificateFiles{Certificate: certificate, Key: private})
		}
		request := api.DeployRequest{Spec: spec, Targets: []api.Target{{Address: app}}}
		if _, err := h.client.Deploy(t.Context(), "s"+itoa(first), request, nil); err != nil {
			t.Fatal(err)
		}
	}
	const rest = 3 * time.Second
	let(t, time.Second) // until what a start costs is over
	before, _ := h.cpu()
	let(t, rest)
	after, _ := h.cpu()
	h.atRest = (after - before) / (rest / time.Second)
	return h
}

// inService is how many certificates a service may have.
const inService = 1000

func hoardName(i int) string { return "n" + itoa(i) + ".many.test" }

// shake makes full handshakes for names all over the hoard, and adds what they cost.
func (h *hoard) shake(t *testing.T, n int) {
	t.Helper()
	before, _ := h.cpu()
	began := time.Now()
	for i := range n {
		name := hoardName((i*7919 + 13) % h.size)
		conn, err := tls.Dial("tcp", h.secure, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatalf("handshake for %s: %v", name, err)
		}
		_ = conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; got != name {
			t.Fatalf("got the certificate of %s, want that of %s", got, name)
		}
	}
	after, _ := h.cpu()
	h.used += after - before - time.Duration(float64(h.atRest)*time.Since(began).Seconds())
	h.shaken += n
}

// each is what one handshake cost.
func (h *hoard) each() time.Duration {
	return (h.used / time.Duration(h.shaken)).Round(time.Microsecond)
}
