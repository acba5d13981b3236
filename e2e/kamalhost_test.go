package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upfront/internal/load"
)

// kamalTitle is what Kamal prunes its proxy by.
const kamalTitle = "org.opencontainers.image.title=kamal-proxy"

// kamalHost is a machine that Kamal 2.12 sees to: the lines are those that it types
// over SSH, in a home folder.
type kamalHost struct {
	t       *testing.T
	home    string
	image   string // with its tag
	address string // where clients arrive, published by Docker
	secure  string
	publish string // as Kamal writes it of proxy.run.http_port and https_port
}

// newKamalHost needs a machine without Kamal: its names are fixed, and it prunes.
func newKamalHost(t *testing.T) *kamalHost {
	t.Helper()
	requireDocker(t)
	for _, look := range []string{
		"docker ps -aq --filter name=^kamal-proxy$", "docker network ls -q --filter name=^kamal$", "docker volume ls -q --filter name=^kamal-proxy-config$",
		"docker ps -aq --filter label=service=app", "docker ps -aq --filter status=exited --filter label=" + kamalTitle,
	} {
		if out, _ := tryDocker(strings.Fields(look)[1:]...); out != "" {
			if os.Getenv("CI") != "" {
				t.Fatalf("CI is set, but this machine has something of Kamal's already: %s: %s", look, out)
			}
			t.Skipf("this machine has something of Kamal's, which the test would remove: %s: %s", look, out)
		}
	}
	h := &kamalHost{t: t, home: t.TempDir(), image: os.Getenv("UPFRONT_E2E_KAMAL_IMAGE")}
	if h.image == "" {
		h.image = "upfront-e2e/kamal-proxy:v1.0.0"
		cmd := exec.CommandContext(t.Context(), "make", "-C", "..", "kamal-image", "KAMAL_IMAGE="+h.image)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make kamal-image: %v: %s", err, out)
		}
	}
	h.holdOtherImages()
	ip := docker(t, "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
	_, plain, _ := net.SplitHostPort(freeAddress(t))
	_, tls, _ := net.SplitHostPort(freeAddress(t))
	h.address, h.secure = net.JoinHostPort(ip, plain), net.JoinHostPort(ip, tls)
	h.publish = "--publish " + plain + ":80 --publish " + tls + ":443"
	t.Cleanup(h.clean)
	return h
}

// holdOtherImages keeps the images of others from the prune of `kamal proxy remove`,
// which takes every image with the title that no container uses.
func (h *kamalHost) holdOtherImages() {
	ids := strings.Fields(docker(h.t, "image", "ls", "--quiet", "--no-trunc", "--filter", "label="+kamalTitle))
	mine := docker(h.t, "image", "inspect", "--format", "{{.Id}}", h.image)
	for _, id := range ids {
		if id == mine {
			continue
		}
		holder := docker(h.t, "create", "--label", "org.opencontainers.image.title=held", id, "none")
		h.t.Cleanup(func() { _, _ = tryDocker("rm", holder) })
	}
}

func (h *kamalHost) clean() {
	if out, _ := tryDocker("logs", "--tail", "15", "kamal-proxy"); h.t.Failed() {
		h.t.Logf("the proxy wrote, at the end:\n%s", out)
	}
	ids, _ := tryDocker("ps", "-aq", "--filter", "network=kamal")
	_, _ = tryDocker(append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...)
	_, _ = tryDocker("rm", "--force", "kamal-proxy")
	_, _ = tryDocker("network", "rm", "kamal")
	_, _ = tryDocker("volume", "rm", "kamal-proxy-config")
	images, _ := tryDocker("image", "ls", "--quiet", "--filter", "reference=upfront-e2e/*")
	for id := range strings.FieldsSeq(images) {
		_, _ = tryDocker("rmi", "--force", id)
	}
}

// try types a line as Kamal does.
func (h *kamalHost) try(line string) (status int, stdout, stderr string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(h.t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Stdout, cmd.Stderr = h.home, &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(out.String()), errs.String()
}

// do types a line that must succeed, and returns what it printed.
func (h *kamalHost) do(line string) string {
	h.t.Helper()
	status, stdout, stderr := h.try(line)
	if status != 0 {
		h.t.Fatalf("%s: exit status %d: %s", line, status, stderr)
	}
	return stdout
}

// silently types a line of kamal-proxy, which says nothing when it succeeds.
func (h *kamalHost) silently(line string) {
	h.t.Helper()
	if status, stdout, stderr := h.try(line); status != 0 || stdout != "" || stderr != "" {
		h.t.Fatalf("%s: exit status %d, %q, %q on stderr; want silence", line, status, stdout, stderr)
	}
}

// boot is `kamal proxy boot`.
func (h *kamalHost) boot() {
	h.t.Helper()
	if status, _, stderr := h.try("docker network create kamal"); status != 0 && !strings.Contains(stderr, "already exists") {
		h.t.Fatalf("docker network create kamal: %s", stderr)
	}
	h.do(`docker inspect kamal-proxy --format '{{.Config.Image}}' | awk -F: '{print $NF}'`)
	h.do("mkdir -p .kamal/proxy/apps-config")
	h.do("docker container start kamal-proxy || " + h.run())
	h.untilUp()
}

func (h *kamalHost) run() string {
	return "docker run --name kamal-proxy --network kamal --detach --restart unless-stopped" +
		" --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy" +
		" --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config " + h.publish +
		" --log-opt max-size=10m " + h.image + " kamal-proxy run"
}

func (h *kamalHost) untilUp() {
	h.t.Helper()
	waitFor(h.t, 20*time.Second, "the proxy to answer", func() bool {
		status, _, _ := h.try("docker exec kamal-proxy kamal-proxy list")
		return status == 0
	})
}

// app is an image of one version, as `kamal build` would push it.
func (h *kamalHost) app(service, version string) (image string) {
	h.t.Helper()
	image = "upfront-e2e/" + service + ":" + version
	dir := h.t.TempDir()
	content, err := os.ReadFile(static(h.t, "testtarget", "upfront/internal/testtarget/cmd"))
	if err != nil {
		h.t.Fatal(err)
	}
	file := "FROM scratch\nCOPY testtarget /testtarget\nLABEL service=" + service +
		"\nENTRYPOINT [\"/testtarget\",\"--listen\",\":80\",\"--version-name\",\"" + version + "\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "testtarget"), content, 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o644); err != nil {
		h.t.Fatal(err)
	}
	docker(h.t, "build", "--quiet", "--tag", image, dir)
	return image
}

// bootApp is `kamal app boot`: the new container, the deploy, the end of the old one.
func (h *kamalHost) bootApp(service, version string, flags ...string) {
	h.t.Helper()
	named := func(v string) string {
		return "docker container ls --all --filter 'name=^" + service + "-web-" + v + "$' --quiet"
	}
	if h.do(named(version)) != "" {
		h.do("docker rename " + service + "-web-" + version + " " + service + "-web-" + version + "_replaced_0123456789abcdef")
	}
	filter := " --filter label=service=" + service + " --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting"
	old := h.do("docker ps --latest --format '{{.Names}}'" + filter + " | while read line; do echo ${line#" + service + "-web-}; done")
	h.do("docker run --detach --restart unless-stopped --name " + service + "-web-" + version + " --network kamal --hostname host-0123456789ab" +
		` --env KAMAL_CONTAINER_NAME="` + service + "-web-" + version + `" --env KAMAL_VERSION="` + version + `" --env KAMAL_HOST="1.1.1.1"` +
		` --log-opt max-size="10m" --label service="` + service + `" --label role="web" --label destination upfront-e2e/` + service + ":" + version)
	h.silently("docker exec kamal-proxy kamal-proxy deploy " + service + `-web --target="` + h.do(named(version)) + `:80"` +
		` --host="` + service + `.test" ` + strings.Join(flags, " ") + ` --deploy-timeout="30s" --drain-timeout="4s" --buffer-requests --buffer-responses` +
		` --log-request-header="Cache-Control" --log-request-header="Last-Modified" --log-request-header="User-Agent"`)
	if old != "" {
		h.do(named(old) + " | xargs docker stop")
	}
}

// status asks for the status of a service.
func (h *kamalHost) status(service string) (int, string, string) {
	h.t.Helper()
	status, body, header, err := tryAsk(h.t.Context(), h.address, service+".test", "/")
	if err != nil {
		h.t.Fatalf("GET %s.test: %v", service, err)
	}
	return status, header.Get("X-Version"), body
}

func (h *kamalHost) want(service string, status int, version string) string {
	h.t.Helper()
	got, by, body := h.status(service)
	if got != status || by != version {
		h.t.Errorf("GET %s.test: %d of version %q, want %d of %q", service, got, by, status, version)
	}
	return body
}

// load puts requests of every kind on a service, streams of 3 s among them.
func (h *kamalHost) load(service string) *traffic {
	h.t.Helper()
	return startLoadOf(h.t, load.Options{
		Address: h.address, Host: service + ".test", Workers: allModes, StreamTime: 3 * time.Second,
		MaxFailures: 1_000_000, // every one, for a reboot has many
	})
}
