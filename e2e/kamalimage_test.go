package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// maxImage is how large the image for Kamal may be, in bytes.
const maxImage = 30_000_000

// What Kamal relies on of an image, and what it costs at rest.
func TestKamal_theImage(t *testing.T) {
	h := newKamalHost(t)
	for _, test := range []struct{ format, want string }{
		{`{{index .Config.Labels "org.opencontainers.image.title"}}`, "kamal-proxy"},
		{`{{json .Config.Entrypoint}}`, "null"},
		{`{{json .Config.Cmd}}`, `["kamal-proxy","run"]`},
		{`{{.Config.User}}`, "1001:1001"},
		{`{{json .Config.ExposedPorts}}`, `{"443/tcp":{},"80/tcp":{}}`},
	} {
		if got := docker(t, "image", "inspect", "--format", test.format, h.image); got != test.want {
			t.Errorf("%s = %s, want %s", test.format, got, test.want)
		}
	}
	if env := docker(t, "image", "inspect", "--format", "{{json .Config.Env}}", h.image); !strings.Contains(env, `"HOME=/home/kamal-proxy"`) {
		t.Errorf("variables = %s, want the HOME that Kamal mounts into", env)
	}
	size, err := strconv.Atoi(docker(t, "image", "inspect", "--format", "{{.Size}}", h.image))
	if err != nil || size > maxImage {
		t.Errorf("image of %d bytes, %v, want at most %d", size, err, maxImage)
	}
	h.app("app", "v1")
	h.boot()
	h.bootApp("app", "v1")
	h.do("docker container stop kamal-proxy")
	h.do("docker rm kamal-proxy")
	began := time.Now()
	h.do(h.run())
	typed := time.Since(began)
	waitFor(t, 20*time.Second, "the first answer", func() bool {
		status, _, _, err := tryAsk(t.Context(), h.address, "app.test", "/")
		return err == nil && status == 200
	})
	took := time.Since(began)
	started, err := time.Parse(time.RFC3339Nano, h.do("docker inspect kamal-proxy --format '{{.State.StartedAt}}'"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("image %d bytes; first 200 %v after docker run was typed, %v after the container's start, %v after docker run returned; at rest %s",
		size, took.Round(time.Millisecond), began.Add(took).Sub(started).Round(time.Millisecond), (took - typed).Round(time.Millisecond), h.rest())
	if got := h.do("docker exec kamal-proxy proxyctl version"); !strings.Contains(got, "proxyd") {
		t.Errorf("proxyctl version in the container: %q", got)
	}
	// kamal-proxy's own volumes belong to 1001; sockets and bodies on disk go to /tmp.
	files := h.do("docker export kamal-proxy | tar --numeric-owner -tvf - | awk '{print $1, $2, $6}'")
	for _, want := range []string{
		"drwxrwxrwt 0/0 tmp/", "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
		"drwxr-xr-x 1001/1001 home/kamal-proxy/.config/kamal-proxy/", "drwxr-xr-x 1001/1001 home/kamal-proxy/.apps-config/",
	} {
		if !strings.Contains("\n"+files+"\n", "\n"+want+"\n") {
			t.Errorf("the image has no %s:\n%.3000s", want, files)
		}
	}
}

// rest is the memory of the proxy's process.
func (h *kamalHost) rest() string {
	status, err := os.ReadFile("/proc/" + h.do("docker inspect kamal-proxy --format '{{.State.Pid}}'") + "/status")
	if err != nil {
		return "not known: " + err.Error()
	}
	_, text, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}
