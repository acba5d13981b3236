package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// ask returns what a browser gets from host.
func (p *program) ask(host string) string {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.status().Listeners[0], "http://"))
	must(p.t, err)
	defer func() { _ = conn.Close() }()
	must(p.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
	must(p.t, err)
	answer, err := io.ReadAll(conn)
	must(p.t, err)
	return string(answer)
}

func TestErrorPages_ofTheFile(t *testing.T) {
	p := newProgram(t)
	root, own := filepath.Join(p.dir, "root"), filepath.Join(p.dir, "own")
	writeFile(t, filepath.Join(root, "404.html"), "root page")
	writeFile(t, filepath.Join(own, "502.html"), "own page")
	text := fmt.Sprintf("error_pages: %s\nservices:\n  web:\n    hosts: [a.test]\n    targets: [127.0.0.1:1]\n"+
		"    fail_open: true\n    error_pages: %s\n", root, own)
	writeFile(t, p.file(), text)
	p.start("--config", p.file())
	answers := func(host, want string) {
		t.Helper()
		p.until(host+" answers "+want, func() bool { return strings.Contains(p.ask(host), want) })
	}
	answers("b.test", "root page")
	answers("a.test", "own page")

	// A bad page is a mistake of the file, at the key that names the folder.
	writeFile(t, filepath.Join(root, "404.html"), "\n{{.Nope}}")
	writeFile(t, filepath.Join(own, "502.html"), "{{")
	err := p.client.Reload(context.Background())
	for _, want := range []string{"proxy.yml:1:14: error_pages: ", "404.html:2:2: ", "proxy.yml:7:18: error_pages: ", "502.html:1: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reload: got %v, want %q", err, want)
		}
	}
	if got := p.status().Config.Problem; !strings.Contains(got, "404.html:2:2") {
		t.Errorf("status: got %q", got)
	}
	answers("b.test", "root page")
	answers("a.test", "own page")

	writeFile(t, filepath.Join(root, "404.html"), "another root page")
	writeFile(t, filepath.Join(own, "502.html"), "another own page")
	must(t, p.client.Reload(context.Background()))
	answers("b.test", "another root page")
	answers("a.test", "another own page")

	// A start does without folders that are gone, and says so.
	p.stop()
	must(t, os.RemoveAll(root))
	must(t, os.RemoveAll(own))
	p.start("--config", p.file())
	answers("b.test", "404 Page not found")
	answers("a.test", "502 Something went wrong")
	status := p.status()
	if got := status.Config.Problem; !strings.Contains(got, "proxy.yml:1:14: built-in error pages are used") {
		t.Errorf("status of the file: got %q", got)
	}
	if got := status.Services[0].Problem; !strings.Contains(got, "built-in error pages are used") {
		t.Errorf("status of the service: got %q", got)
	}
	if !strings.Contains(p.stderr.String(), "Error pages could not be read") {
		t.Errorf("log: got %s", p.stderr)
	}
}
