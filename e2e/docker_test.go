package e2e

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upfront/internal/load"
)

// requireDocker skips the test where there is no Docker daemon; in CI that is an
// error, because there it must be tested.
func requireDocker(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("CI is set, but no Docker daemon answers: %v: %s", err, out)
	}
	t.Skip("no Docker daemon answers: start one to run this test")
}

// requireProgram returns the path of a program of the system, and skips the test where
// there is none; in CI that is an error, as with Docker.
func requireProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("CI is set, but %s is not installed", name)
	}
	t.Skip(name + " is not installed")
	return ""
}

// docker runs the docker command and returns what it printed.
func docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := tryDocker(args...)
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryDocker(args ...string) (string, error) {
	out, err := exec.Command("docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// appImage makes an image of nothing but the test target, and removes it when
// the test ends.
func appImage(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile(static(t, "testtarget", "upfront/internal/testtarget/cmd"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "testtarget", Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	image := "upfront-e2e-" + itoa(os.Getpid()) + ":app"
	cmd := exec.CommandContext(t.Context(), "docker", "import", "--change", `ENTRYPOINT ["/testtarget"]`, "-", image)
	cmd.Stdin = &archive
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker import %s: %v: %s", image, err, out)
	}
	t.Cleanup(func() { _, _ = tryDocker("rmi", "--force", image) })
	return image
}

// static builds a program without cgo, as it is released.
func static(t testing.TB, name, pkg string) string {
	t.Helper()
	path := filepath.Join(binFolder, "static", name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", pkg, err, out)
	}
	return path
}

// edge is proxyd as edge container on a network of its own.
type edge struct {
	network string
	name    string
	address string // where clients arrive
}

func startEdge(t testing.TB) *edge {
	t.Helper()
	requireDocker(t)
	id := "upfront-e2e-" + itoa(os.Getpid())
	e := &edge{network: id, name: id + "-edge"}
	image := edgeImage(t, id+":edge")
	docker(t, "network", "create", e.network)
	t.Cleanup(func() { _, _ = tryDocker("network", "rm", e.network) })
	e.run(t, e.name, image, "proxyd", "--access-log", "off")
	e.address = e.ip(t, e.name) + ":80"
	waitFor(t, 20*time.Second, "the edge container to answer", func() bool {
		_, err := e.ctl("list")
		return err == nil
	})
	return e
}

// edgeImage makes the image that we release.
func edgeImage(t testing.TB, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "-C", "..", "image", "IMAGE="+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v: %s", err, out)
	}
	t.Cleanup(func() { _, _ = tryDocker("rmi", "--force", name) })
	return name
}

// run starts a container on the network and removes it when the test ends.
func (e *edge) run(t testing.TB, name string, args ...string) {
	t.Helper()
	docker(t, append([]string{"run", "--detach", "--name", name, "--network", e.network}, args...)...)
	t.Cleanup(func() {
		if text, err := tryDocker("logs", "--tail", "20", name); t.Failed() && err == nil {
			t.Logf("%s wrote, at the end:\n%s", name, text)
		}
		_, _ = tryDocker("rm", "--force", "--volumes", name)
	})
}

func (e *edge) ip(t testing.TB, name string) string {
	t.Helper()
	return docker(t, "inspect", "--format", `{{(index .NetworkSettings.Networks "`+e.network+`").IPAddress}}`, name)
}

// ctl runs proxyctl in the edge container.
func (e *edge) ctl(args ...string) (string, error) {
	return tryDocker(append([]string{"exec", e.name, "proxyctl"}, args...)...)
}

func (e *edge) do(t testing.TB, args ...string) {
	t.Helper()
	if out, err := e.ctl(args...); err != nil {
		t.Fatalf("proxyctl %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// swapContainers deploys n versions one after the other under load of every
// kind; runApp starts the container of one version. Each old container is killed
// with SIGKILL the moment its successor is deployed.
func (e *edge) swapContainers(t testing.TB, n int, workers []load.Workers, runApp func(name, version string)) *traffic {
	t.Helper()
	name := func(i int) string { return e.network + "-app-" + itoa(i) }
	deploy := func(i int) {
		flags := []string{"deploy", "web", "--target", name(i) + ":3000", "--drain-timeout", "2500ms"}
		if os.Getenv("UPFRONT_E2E_BUFFERED") == "1" {
			flags = append(flags, buffered...)
		}
		e.do(t, flags...)
	}
	runApp(name(0), "v0")
	deploy(0)
	traffic := startLoad(t, e.address, workers)
	for i := 1; i <= n; i++ {
		runApp(name(i), "v"+itoa(i))
		kill := killer(t, name(i-1))
		began := time.Now()
		deploy(i)
		returned := time.Now()
		kill()
		report := traffic.Report()
		t.Logf("deploy %d took %v, old container killed %v later; %d requests, %d failed so far", i,
			returned.Sub(began), time.Since(returned), report.Requests, report.Failed)
		docker(t, "rm", "--force", name(i-1))
	}
	return traffic
}

// killer returns what kills a container with SIGKILL. The docker command needs
// most of a second for it; root can do it at once, which is the harder test.
func killer(t testing.TB, name string) (kill func()) {
	t.Helper()
	id, pidText, _ := strings.Cut(docker(t, "inspect", "--format", "{{.Id}} {{.State.Pid}}", name), " ")
	pid, err := strconv.Atoi(pidText)
	// The daemon may run on another machine, where the pid means another process.
	groups, _ := os.ReadFile("/proc/" + pidText + "/cgroup")
	if err == nil && os.Getuid() == 0 && strings.Contains(string(groups), id) {
		return func() {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("kill %s: %v", name, err)
			}
		}
	}
	return func() { docker(t, "kill", "--signal", "KILL", name) }
}

func TestDocker_containersAreSwappedUnderLoad(t *testing.T) {
	e := startEdge(t)
	image := appImage(t)
	deploys := scale(4, 50)
	traffic := e.swapContainers(t, deploys, allModes, func(name, version string) {
		e.run(t, name, image, "--listen", ":3000", "--version-name", version, "--ready-after", "200ms")
	})
	waitFor(t, 20*time.Second, "Docker to call the edge container healthy", func() bool {
		return docker(t, "inspect", "--format", "{{.State.Health.Status}}", e.name) == "healthy"
	})
	report := traffic.expectNoFailure(t)
	if got, want := len(report.Versions), deploys+1; got != want {
		t.Errorf("load saw %d versions, want %d", got, want)
	}
}

// A container that comes back with another address is found under its name on
// the next dial: nothing remembers the old one.
func TestDocker_anAddressThatChangesIsUsedOnTheNextDial(t *testing.T) {
	e := startEdge(t)
	image := appImage(t)
	name := e.network + "-web"
	e.run(t, name, image, "--listen", ":3000", "--version-name", "before")
	e.do(t, "deploy", "web", "--target", name+":3000")
	if _, _, header := ask(t, e.address, host, "/"); header.Get("X-Version") != "before" {
		t.Fatalf("answer of %q, want before", header.Get("X-Version"))
	}
	old := e.ip(t, name)
	docker(t, "rm", "--force", name)
	// Somebody else gets the old address, and would answer if it were kept.
	e.run(t, e.network+"-squatter", image, "--listen", ":3000", "--version-name", "squatter")
	e.run(t, name, image, "--listen", ":3000", "--version-name", "after")
	if got := e.ip(t, name); got == old {
		t.Skipf("Docker gave the container its old address %s again", got)
	}
	waitFor(t, 15*time.Second, "the container to answer under its new address", func() bool {
		status, _, header, err := tryAsk(t.Context(), e.address, host, "/")
		if header.Get("X-Version") == "squatter" {
			t.Fatal("a request went to the old address, which belongs to another container")
		}
		return err == nil && status == 200 && header.Get("X-Version") == "after"
	})
}
