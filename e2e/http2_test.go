package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upfront/internal/load/payload"
)

// http2Load is requests over HTTP/2 from clients of net/http, which open their
// streams on one connection each, and verify every byte of the answers.
type http2Load struct {
	base     string
	stop     context.CancelFunc
	running  sync.WaitGroup
	requests atomic.Int64

	mu       sync.Mutex
	failures []string        // guarded by mu
	versions map[string]bool // guarded by mu
}

// startHTTP2Load loads base, such as http://127.0.0.1:8080, with streams of every
// kind until it is stopped.
func startHTTP2Load(t testing.TB, base string, connections int, pace time.Duration) *http2Load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &http2Load{base: base, stop: cancel, versions: map[string]bool{}}
	for c := range connections {
		transport := http2Transport(base)
		client := &http.Client{Transport: transport, Timeout: time.Minute}
		for i, ask := range []func(context.Context, *http.Client, string) (string, error){
			l.get, l.get, l.get, l.post, l.stream,
		} {
			l.running.Go(func() { l.work(ctx, client, ask, fmt.Sprintf("h2-%d-%d", c, i), pace) })
		}
		t.Cleanup(transport.CloseIdleConnections)
	}
	t.Cleanup(l.end)
	waitFor(t, 10*time.Second, "the first answers over HTTP/2", func() bool { return l.requests.Load() > int64(connections) })
	return l
}

// http2Transport speaks nothing else, over TLS or not as base says.
func http2Transport(base string) *http.Transport {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	if strings.HasPrefix(base, "https:") {
		transport.Protocols.SetHTTP2(true)
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	} else {
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	return transport
}

func (l *http2Load) end() {
	l.stop()
	l.running.Wait()
}

func (l *http2Load) work(ctx context.Context, client *http.Client, ask func(context.Context, *http.Client, string) (string, error), nonce string, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		// Asked to the end, so that what stop cuts is no failure.
		version, err := ask(context.WithoutCancel(ctx), client, fmt.Sprintf("%s-%d", nonce, n))
		l.requests.Add(1)
		l.mu.Lock()
		if err != nil {
			l.failures = append(l.failures, err.Error())
		} else {
			l.versions[version] = true
		}
		l.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (l *http2Load) do(ctx context.Context, client *http.Client, method, path string, query url.Values, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.base+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d: %.100q", res.StatusCode, got)
	case res.ProtoMajor != 2:
		return nil, fmt.Errorf("answered in %s", res.Proto)
	}
	return got, nil
}

func (l *http2Load) get(ctx context.Context, client *http.Client, nonce string) (string, error) {
	const size = 300
	got, err := l.do(ctx, client, http.MethodGet, payload.AnswerPath, url.Values{payload.KeyNonce: {nonce}, payload.KeySize: {itoa(size)}}, nil)
	if err != nil {
		return "", err
	}
	return payload.CheckAnswer(got, nonce, size)
}

func (l *http2Load) post(ctx context.Context, client *http.Client, nonce string) (string, error) {
	body := payload.Body(nonce, 64<<10)
	// Without a length, and without a second copy for the client to try again with.
	got, err := l.do(ctx, client, http.MethodPost, payload.EchoPath, url.Values{payload.KeyNonce: {nonce}}, io.MultiReader(bytes.NewReader(body)))
	if err != nil {
		return "", err
	}
	return payload.CheckReceipt(got, nonce, body)
}

func (l *http2Load) stream(ctx context.Context, client *http.Client, nonce string) (string, error) {
	got, err := l.do(ctx, client, http.MethodGet, payload.StreamPath, url.Values{payload.KeyNonce: {nonce}}, nil)
	if err != nil {
		return "", err
	}
	return payload.CheckStream(got, nonce, 6)
}

// expectNoFailure ends the load.
func (l *http2Load) expectNoFailure(t testing.TB) {
	t.Helper()
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d requests over HTTP/2, %d failed, %d versions", l.requests.Load(), len(l.failures), len(l.versions))
	for i, failure := range l.failures {
		if i == 10 {
			break
		}
		t.Errorf("failed: %s", failure)
	}
}

// withH2C has proxyd speak HTTP/2 without TLS.
var withH2C = proxyOptions{env: []string{"UPFRONT_H2C=true"}}

func TestHTTP2_deployUnderLoadFailsNoRequest(t *testing.T) {
	p := startProxy(t, withH2C)
	deployUnderHTTP2(t, p, "http://"+p.address)
}

// deployUnderHTTP2 deploys again and again under load at base, and kills the old app
// the moment a deploy returns.
func deployUnderHTTP2(t *testing.T, p *proxy, base string) {
	deploys, requests := scale(4, 50), int64(scale(1000, 100_000))
	deploy := func(a *app) {
		p.do(t, "deploy", "web", "--target", a.address, "--drain-timeout", "2500ms")
	}
	old := startApp(t, "v0")
	deploy(old)
	traffic := startHTTP2Load(t, base, 4, time.Duration(scale(10, 4))*time.Millisecond)
	for i := 1; i <= deploys || traffic.requests.Load() < requests; i++ {
		next := startApp(t, "v"+itoa(i), "--ready-after", "200ms")
		deploy(next)
		old.kill()
		old = next
	}
	traffic.expectNoFailure(t)
	if len(traffic.versions) <= deploys {
		t.Errorf("answers of %d versions, want those of more than %d deploys", len(traffic.versions), deploys)
	}
}

func TestHTTP2_stopFinishesStreams(t *testing.T) {
	p := startProxy(t, withH2C)
	a := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", a.address)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	l := &http2Load{base: "http://" + p.address}
	ended := make(chan error, 20)
	for i := range cap(ended) {
		go func() {
			_, err := l.stream(context.Background(), &http.Client{Transport: transport}, "s"+itoa(i))
			ended <- err
		}()
	}
	waitFor(t, 10*time.Second, "the streams to be under way", func() bool {
		target, found := p.target(t, "web", a.address)
		return found && target.InFlight == int64(cap(ended))
	})
	p.signal(t, syscall.SIGTERM)
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Errorf("stream cut by the stop: %v", err)
		}
	}
	p.exit(t, slack(10*time.Second))
}
