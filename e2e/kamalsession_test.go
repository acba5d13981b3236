package e2e

import (
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upfront/internal/load"
)

// What Kamal 2.12 does in the life of an app, line by line, under load. With
// UPFRONT_E2E_KAMAL_IMAGE another image is tried, to compare.
func TestKamal_aSession(t *testing.T) {
	h := newKamalHost(t)
	for _, version := range []string{"v1", "v2"} {
		h.app("app", version)
	}
	h.app("other", "v1")
	h.boot()
	if logs := h.do("docker logs kamal-proxy 2>&1"); !strings.Contains(logs, "No previous state to restore") {
		t.Errorf("the first boot wrote %q", logs)
	}
	h.bootApp("app", "v1")
	h.bootApp("other", "v1")
	h.want("app", 200, "v1")
	h.deploys()
	h.maintenance()
	h.pages()
	h.certificate()
	h.accessory()
	h.reboot()
	h.stop()
	h.stopApp()
	h.remove()
}

// deploys are deploy, redeploy and rollback.
func (h *kamalHost) deploys() {
	clients := h.load("app")
	h.boot() // a deploy looks at the proxy first
	h.bootApp("app", "v2")
	h.want("app", 200, "v2")
	h.do("docker image prune --force --filter label=service=app")
	h.do("docker ps -q -a --filter label=service=app --filter status=created --filter status=exited --filter status=dead" +
		" | tail -n +6 | while read container_id; do docker rm $container_id; done")
	h.bootApp("app", "v2") // redeploy
	h.bootApp("app", "v1") // rollback
	h.want("app", 200, "v1")
	clients.expectNoFailure(h.t)
}

// maintenance and live of one service are nothing to another.
func (h *kamalHost) maintenance() {
	clients := h.load("other")
	h.silently(`docker exec kamal-proxy kamal-proxy stop app-web --drain-timeout="30s" --message="Back <at> noon"`)
	if body := html.UnescapeString(h.want("app", 503, "")); !strings.Contains(body, "Back <at> noon") {
		h.t.Errorf("maintenance page without the message: %s", body)
	}
	h.silently("docker exec kamal-proxy kamal-proxy resume app-web")
	h.want("app", 200, "v1")
	clients.expectNoFailure(h.t)
}

// pages are error pages of the app's own, which Kamal removes after the next deploy.
func (h *kamalHost) pages() {
	const folder = ".kamal/proxy/apps-config/other/error_pages"
	h.do("mkdir -p " + folder + "/v1")
	if err := os.WriteFile(filepath.Join(h.home, folder, "v1", "503.html"), []byte("ours: {{ .Message }}"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.do("docker rm --force other-web-v1")
	h.bootApp("other", "v1", `--error-pages="/home/kamal-proxy/.apps-config/other/error_pages/v1"`)
	h.silently(`docker exec kamal-proxy kamal-proxy stop other-web --drain-timeout="30s"`)
	if body := h.want("other", 503, ""); !strings.HasPrefix(body, "ours:") {
		h.t.Errorf("error page = %q, want our own", body)
	}
	h.silently("docker exec kamal-proxy kamal-proxy resume other-web")
}

// reboot is `kamal proxy reboot`. Docker starts no container before the other has
// ended, so there is a gap; what was sent before it is answered whole.
func (h *kamalHost) reboot() {
	before := h.do("docker exec kamal-proxy kamal-proxy list")
	clients := h.load("app")
	let(h.t, 2*time.Second) // for streams that are under way
	began := time.Now()
	h.do("docker container stop kamal-proxy")
	stopped := time.Since(began)
	exit := h.do("docker inspect kamal-proxy --format '{{.State.ExitCode}}'") // 137 is Docker's SIGKILL after 10 s
	h.do("docker container prune --force --filter label=" + kamalTitle)
	h.do("mkdir -p .kamal/proxy/apps-config")
	h.do(h.run())
	h.untilUp()
	if after := h.do("docker exec kamal-proxy kamal-proxy list"); after != before {
		h.t.Errorf("deployed after the reboot:\n%s\nbefore:\n%s", after, before)
	}
	let(h.t, 500*time.Millisecond)
	report := clients.stop()
	h.t.Logf("reboot: stop took %v and ended with %s", stopped.Round(time.Millisecond), exit)
	h.gap(report, began)
	h.want("app", 200, "v1")
	h.want("other", 200, "v1")
}

// gap says who was turned away by a reboot that began then; of what was sent before
// nothing may have failed.
func (h *kamalHost) gap(report *load.Report, began time.Time) {
	var first, last time.Time
	cut, refused := 0, 0
	for _, f := range report.Failures {
		if first.IsZero() || f.At.Before(first) {
			first = f.At
		}
		if f.At.After(last) {
			last = f.At
		}
		if strings.Contains(f.Cause, "refused") {
			refused++
		} else {
			h.t.Logf("not refused, %v behind the stop: %+v", f.At.Sub(began).Round(time.Millisecond), f)
		}
		if f.Sent.Before(began) {
			cut++
		}
	}
	h.t.Logf("reboot: failures over %v, from %v behind the stop: %d of %d; %d were refused a connection, %d were in flight before", last.Sub(first).Round(time.Millisecond),
		first.Sub(began).Round(time.Millisecond), report.Failed, report.Failed+report.Requests, refused, cut)
	if cut > 0 || int64(len(report.Failures)) < report.Failed {
		h.t.Errorf("%d requests that were in flight at the stop failed, of %d of %d failures that are known", cut, len(report.Failures), report.Failed)
	}
}

// remove is `kamal proxy remove`, which goes by the label.
func (h *kamalHost) remove() {
	h.do("docker container stop kamal-proxy")
	h.do("docker container prune --force --filter label=" + kamalTitle)
	h.do("docker image prune --all --force --filter label=" + kamalTitle)
	h.do("rm -r .kamal/proxy")
	if left := h.do("docker ps -aq --filter name=^kamal-proxy$"); left != "" {
		h.t.Errorf("the container is still there: %s", left)
	}
	if left := h.do("docker image ls -q " + h.image); left != "" {
		h.t.Errorf("the image is still there: %s", left)
	}
}
