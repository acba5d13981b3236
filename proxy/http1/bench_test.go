package http1

import (
	"strings"
	"testing"
)

// Heads as they arrive at an edge: a browser's navigation, curl, a load
// generator, and what a Rails app answers.
const (
	browserHead = "GET /projects/42/messages?page=3&sort=created_at HTTP/1.1\r\n" +
		"Host: app.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"141\", \"Not?A_Brand\";v=\"8\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\n" +
		"sec-ch-ua-platform: \"macOS\"\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: navigate\r\n" +
		"Sec-Fetch-User: ?1\r\n" +
		"Sec-Fetch-Dest: document\r\n" +
		"Referer: https://app.example.com/projects/42\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: _session_id=6f2d1c9a8b7e4f3d2c1b0a9f8e7d6c5b4a39281706f5e4d3c2b1a0; theme=dark; locale=en\r\n" +
		"If-None-Match: W/\"0f343b0931126a20f133d67c2b018a3b\"\r\n" +
		"\r\n"
	curlHead  = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
	wrkHead   = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
	railsHead = "HTTP/1.1 200 OK\r\n" +
		"X-Frame-Options: SAMEORIGIN\r\n" +
		"X-XSS-Protection: 0\r\n" +
		"X-Content-Type-Options: nosniff\r\n" +
		"X-Permitted-Cross-Domain-Policies: none\r\n" +
		"Referrer-Policy: strict-origin-when-cross-origin\r\n" +
		"Content-Type: text/html; charset=utf-8\r\n" +
		"Vary: Accept\r\n" +
		"ETag: W/\"0f343b0931126a20f133d67c2b018a3b\"\r\n" +
		"Cache-Control: max-age=0, private, must-revalidate\r\n" +
		"Set-Cookie: _session_id=6f2d1c9a8b7e4f3d2c1b0a9f8e7d6c5b; path=/; HttpOnly; SameSite=Lax\r\n" +
		"X-Request-Id: 7b1e0f0e-0b0c-4b57-8f6a-5f9f6d3f7a11\r\n" +
		"X-Runtime: 0.012345\r\n" +
		"Content-Length: 5120\r\n" +
		"\r\n"
)

var usual = Limits{Bytes: 64 << 10, Fields: 100}

func BenchmarkRequest_Scan(b *testing.B) {
	for _, bench := range []struct{ name, head string }{
		{"browser", browserHead}, {"curl", curlHead}, {"wrk", wrkHead},
	} {
		b.Run(bench.name, func(b *testing.B) {
			head := []byte(bench.head)
			var r Request
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset()
				if done, err := r.Scan(head, usual); !done || err != nil {
					b.Fatal(done, err)
				}
			}
		})
	}
}

func BenchmarkResponse_Scan(b *testing.B) {
	head := []byte(railsHead)
	var r Response
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if done, err := r.Scan(head, usual); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}

func BenchmarkRequest_AppendKept(b *testing.B) {
	var r Request
	r.Reset()
	if done, err := r.Scan([]byte(browserHead), usual); !done || err != nil {
		b.Fatal(done, err)
	}
	var keep [32]bool
	for _, k := range []Kind{Other, Host, UserAgent, ContentLength, ContentType} {
		keep[k] = true
	}
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = r.AppendKept(dst[:0], &keep)
	}
}

func BenchmarkChunks_Walk(b *testing.B) {
	body := []byte(strings.Repeat("400\r\n"+strings.Repeat("x", 0x400)+"\r\n", 15) + "0\r\n\r\n")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var c Chunks
		if _, used, err := c.Walk(body); used != len(body) || err != nil || !c.Done() {
			b.Fatal(used, err)
		}
	}
}
