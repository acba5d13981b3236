package e2e

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificate is the app's own, of deploy.yml's `ssl: {certificate_pem, private_key_pem}`.
func (h *kamalHost) certificate() {
	h.t.Helper()
	const folder = ".kamal/proxy/apps-config/other/tls/web"
	h.do("mkdir -p " + folder)
	a := newAuthority(h.t)
	cert, key, _ := a.files(h.t, h.t.TempDir(), "other", "other.test")
	for name, from := range map[string]string{"cert.pem": cert, "key.pem": key} {
		content, err := os.ReadFile(from)
		if err != nil {
			h.t.Fatal(err)
		}
		path := filepath.Join(h.home, folder, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			h.t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil { // as Kamal uploads it
			h.t.Fatal(err)
		}
	}
	const inside = "/home/kamal-proxy/.apps-config/other/tls/web/"
	h.bootApp("other", "v1", "--tls", `--tls-certificate-path="`+inside+`cert.pem"`, `--tls-private-key-path="`+inside+`key.pem"`, `--tls-redirect="false"`)
	h.handshake(a)
}

// handshake meets the app's own certificate.
func (h *kamalHost) handshake(a *authority) {
	h.t.Helper()
	config := a.client()
	config.ServerName = "other.test"
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", h.secure, config)
	if err != nil {
		h.t.Errorf("handshake of other.test: %v", err)
		return
	}
	_ = conn.Close()
}

// accessory has a proxy section of its own.
func (h *kamalHost) accessory() {
	h.t.Helper()
	h.do(`docker run --name app-redis --detach --restart unless-stopped --network kamal --log-opt max-size="10m"` +
		` --env KAMAL_HOST="1.1.1.1" --label service="app-redis" upfront-e2e/other:v1`)
	target := h.do("docker container ls --filter 'name=^app-redis$' --quiet")
	h.silently(`docker exec kamal-proxy kamal-proxy deploy app-redis --target="` + target + `:80" --host="redis.test"` +
		` --deploy-timeout="30s" --drain-timeout="5s" --buffer-requests --buffer-responses`)
	h.want("redis", 200, "v1")
	h.do("docker container stop app-redis")
	h.silently("docker exec kamal-proxy kamal-proxy remove app-redis")
	h.want("redis", 404, "")
	h.do("docker container prune --force --filter label=service=app-redis")
}
