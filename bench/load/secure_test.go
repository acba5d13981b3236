package load

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

// Proxies that agree on other things with the load are not compared.
func TestOpenSecure_refusesWhatIsNotEqual(t *testing.T) {
	app := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is RSA
	defer app.Close()
	_, err := OpenSecure(app.Listener.Addr().String(), "bench.test", Kept, 1)
	if err == nil || !strings.Contains(err.Error(), "another certificate") {
		t.Errorf("got %v", err)
	}
}

func TestSecure_Run_comesAsItWasAsked(t *testing.T) {
	var resumed, full, second atomic.Int64
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ProtoMajor == 2:
			second.Add(1)
		case r.TLS.DidResume:
			resumed.Add(1)
		default:
			full.Add(1)
		}
		w.Header().Set("Content-Length", "2")
		io.WriteString(w, "ok")
	}))
	app.EnableHTTP2 = true
	app.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	app.StartTLS()
	defer app.Close()
	address := app.Listener.Addr().String()
	for _, test := range []struct {
		name string
		how  Security
		most *atomic.Int64
	}{{"kept", Kept, &full}, {"full", Full, &full}, {"resumed", Resumed, &resumed}, {"HTTP/2", HTTP2, &second}} {
		resumed.Store(0)
		full.Store(0)
		second.Store(0)
		s, err := OpenSecure(address, "bench.test", test.how, 2)
		if err != nil {
			t.Fatal(err)
		}
		if test.how == Resumed { // which needs a session first
			if _, err := s.Run(time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Run(50 * time.Millisecond)
		s.Close()
		if err != nil || got.Answered == 0 || got.Latency.Count() != uint64(got.Answered) {
			t.Errorf("%s: got %d answered, %d latencies, %v, want some", test.name, got.Answered, got.Latency.Count(), err)
		}
		if all := resumed.Load() + full.Load() + second.Load(); test.most.Load() < all-2 {
			t.Errorf("%s: got %d of %d requests that way", test.name, test.most.Load(), all)
		}
	}
}
