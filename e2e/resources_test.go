package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// resources are what proxyd holds at a moment.
type resources struct {
	resident, peak int // KB; peak since the last resetPeak
	descriptors    int
	pipes          int // of the descriptors
}

func (r resources) String() string {
	return fmt.Sprintf("%.1f MB (peak %.1f), %d descriptors", float64(r.resident)/1024, float64(r.peak)/1024, r.descriptors)
}

// resources reads what /proc says; ok is false where there is none.
func (p *proxy) resources(t testing.TB) (r resources, ok bool) {
	t.Helper()
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return r, false
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		if key != "VmRSS" && key != "VmHWM" {
			continue
		}
		kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		if err != nil {
			t.Fatalf("read memory of proxyd: %v in %q", err, line)
		}
		if key == "VmRSS" {
			r.resident = kb
		} else {
			r.peak = kb
		}
	}
	r.descriptors, _ = p.descriptors()
	r.pipes = p.pipes()
	return r, true
}

// resetPeak makes the present memory the peak.
func (p *proxy) resetPeak(t testing.TB) {
	t.Helper()
	if err := os.WriteFile(p.proc("clear_refs"), []byte("5"), 0o600); err != nil && !os.IsNotExist(err) {
		t.Fatalf("reset the peak of proxyd's memory: %v", err)
	}
}

func (p *proxy) proc(name string) string {
	return "/proc/" + itoa(p.cmd.Process.Pid) + "/" + name
}

// expectPeak fails the test when the memory of proxyd rose by more than most KB
// since before. With the race detector memory says nothing.
func (p *proxy) expectPeak(t testing.TB, before resources, most int) {
	t.Helper()
	now, ok := p.resources(t)
	rose := now.peak - before.resident
	t.Logf("memory rose by %.1f MB: before %v, now %v", float64(rose)/1024, before, now)
	if ok && !race() && rose > most {
		t.Errorf("memory rose by %d KB, want at most %d", rose, most)
	}
}

// keptPipes is how many descriptors proxyd keeps for the pipes that large answers are
// spliced through: up to four, made when several are at once in a splice.
const keptPipes = 2 * 4

// expectDescriptors waits until proxyd has as many descriptors as before, give or
// take the connections to the target that it keeps, and its pipes.
func (p *proxy) expectDescriptors(t testing.TB, before resources) {
	t.Helper()
	if _, ok := p.resources(t); !ok {
		return
	}
	defer func() {
		if t.Failed() {
			t.Logf("proxyd has open: %q", p.open())
		}
	}()
	waitFor(t, slack(15*time.Second), fmt.Sprintf("descriptors to be near %d again", before.descriptors), func() bool {
		now, _ := p.descriptors()
		kept := min(max(p.pipes()-before.pipes, 0), keptPipes)
		return now-kept <= before.descriptors+2
	})
}

func (p *proxy) pipes() (n int) {
	for _, name := range p.open() {
		if strings.HasPrefix(name, "pipe:") {
			n++
		}
	}
	return n
}

// open is what the descriptors of proxyd stand for.
func (p *proxy) open() (names []string) {
	entries, _ := os.ReadDir(p.proc("fd"))
	for _, entry := range entries {
		if name, err := os.Readlink(p.proc("fd/" + entry.Name())); err == nil {
			names = append(names, name)
		}
	}
	return names
}
