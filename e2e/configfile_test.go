package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"upfront/api"
)

// position is line and column, as every report of a broken file has them.
var position = regexp.MustCompile(`:\d+:\d+`)

// revision is a config file whose service answers for the host rev-N.test, so
// that a request can tell whether it is live.
func revision(target string, n int) string {
	return fmt.Sprintf(`services:
  web:
    hosts: [%s]
    targets: ["%s"]
  marker:
    hosts: [rev-%d.test]
    targets: ["%s"]
`, host, target, n, target)
}

// broken are files that must be refused.
var broken = []string{
	"services:\n  web:\n    hosts: [app.test\n",
	"services:\n  web:\n    hostz: [app.test]\n    targets: [\"127.0.0.1:1\"]\n",
	"services:\n  web:\n    hosts: [app.test]\n    health_check: {interval: soon}\n",
	"services:\n  a: {hosts: [same.test], targets: [\"127.0.0.1:1\"]}\n  b: {hosts: [same.test], targets: [\"127.0.0.1:1\"]}\n",
	"listeners:\n\t- x\n",
}

// replacements are the ways in which editors and orchestrators replace a file.
var replacements = map[string]func(dir, path, text string) error{
	"in place": func(_, path, text string) error { return os.WriteFile(path, []byte(text), 0o600) },
	// A slow writer: what can be read in the middle is a good file with fewer
	// services, and must not be taken for the whole.
	"in two pieces": func(_, path, text string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		half := strings.LastIndex(text[:len(text)*3/4], "\n") + 1
		_, err = f.WriteString(text[:half])
		<-time.After(20 * time.Millisecond)
		_, err2 := f.WriteString(text[half:])
		return errors.Join(err, err2, f.Close())
	},
	"rename": func(_, path, text string) error {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	},
	// As Kubernetes does: file -> ..data/file, and ..data is a link to a folder
	// that is swapped for another one.
	"symlink swap": func(dir, _, text string) error {
		folder, err := os.MkdirTemp(dir, "..rev-")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "proxy.yml"), []byte(text), 0o600); err != nil {
			return err
		}
		link := filepath.Join(dir, "..data")
		before, _ := os.Readlink(link) // none at first
		if err := os.Symlink(filepath.Base(folder), link+".new"); err != nil {
			return err
		}
		if err := os.Rename(link+".new", link); err != nil {
			return err
		}
		if before != "" {
			return os.RemoveAll(filepath.Join(dir, before))
		}
		return nil
	},
}

func TestConfigFile_replacedUnderLoad(t *testing.T) {
	for name, replace := range replacements {
		t.Run(name, func(t *testing.T) { replaceOften(t, scale(40, 250), replace) })
	}
}

func replaceOften(t *testing.T, times int, replace func(dir, path, text string) error) {
	target := startApp(t, "v1")
	dir := shortFolder(t)
	path := filepath.Join(dir, "proxy.yml")
	if strings.HasSuffix(t.Name(), "symlink_swap") {
		if err := os.Symlink("..data/proxy.yml", path); err != nil {
			t.Fatal(err)
		}
	}
	if err := replace(dir, path, revision(target.address, 0)); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: path})
	expectLive(t, p, 0, 10*time.Second)
	// The two services of the file are probed apart from each other.
	waitFor(t, 10*time.Second, "the service under load to be live", func() bool {
		status, _, _, err := tryAsk(t.Context(), p.address, host, "/")
		return err == nil && status == 200
	})
	traffic := startLoad(t, p.address, getModes)
	last := 0
	var slowest time.Duration
	for i := 1; i <= times; i++ {
		text := revision(target.address, i)
		bad := i%10 == 0
		if bad {
			text = broken[i/10%len(broken)]
		}
		if err := replace(dir, path, text); err != nil {
			t.Fatal(err)
		}
		if bad {
			expectRefused(t, p, last)
			continue
		}
		slowest = max(slowest, expectLive(t, p, i, slack(time.Second)))
		last = i
	}
	t.Logf("%d replacements, the slowest was live after %v", times, slowest)
	traffic.expectNoFailure(t)
}

// expectLive waits until revision n answers, and no problem is shown any longer.
func expectLive(t *testing.T, p *proxy, n int, limit time.Duration) time.Duration {
	t.Helper()
	took := waitFor(t, limit, fmt.Sprintf("revision %d to be live", n), func() bool {
		return isLive(t.Context(), p, n)
	})
	waitFor(t, limit, "no problem to be shown", func() bool { return configStatus(t, p).Problem == "" })
	return took
}

func isLive(ctx context.Context, p *proxy, n int) bool {
	status, _, _, err := tryAsk(ctx, p.address, fmt.Sprintf("rev-%d.test", n), "/")
	return err == nil && status == 200
}

// expectRefused waits until the file on disk is reported as broken, with line
// and column, and checks that the last good one is still live.
func expectRefused(t *testing.T, p *proxy, last int) {
	t.Helper()
	var problem string
	waitFor(t, slack(time.Second), "the broken file to be reported", func() bool {
		problem = configStatus(t, p).Problem
		return problem != ""
	})
	if !position.MatchString(problem) {
		t.Errorf("problem = %q, want line and column", problem)
	}
	if !isLive(t.Context(), p, last) {
		t.Errorf("revision %d is not live any longer after a broken file: %s", last, problem)
	}
}

func configStatus(t *testing.T, p *proxy) api.ConfigStatus {
	t.Helper()
	status := p.status(t)
	if status.Config == nil {
		t.Fatal("status shows no config file")
	}
	return *status.Config
}

func TestConfigFile_ownsTheTargetsThatItFixes(t *testing.T) {
	target := startApp(t, "v1")
	path := filepath.Join(shortFolder(t), "proxy.yml")
	if err := os.WriteFile(path, []byte(revision(target.address, 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProxy(t, proxyOptions{config: path})
	for _, args := range [][]string{
		{"deploy", "web", "--target", target.address},
		{"add", "web", target.address},
	} {
		if status, _, stderr := p.ctl(t, args...); status == 0 || !strings.Contains(stderr, "proxy.yml") && !strings.Contains(stderr, "config file") {
			t.Errorf("proxyctl %v: status %d, %q, want a refusal that names the file", args, status, stderr)
		}
	}
}

func TestCheck_refusesWhatTheDaemonWouldRefuse(t *testing.T) {
	p := startProxy(t, proxyOptions{})
	dir := shortFolder(t)
	path := filepath.Join(dir, "proxy.yml")
	for i, text := range broken {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := p.ctl(t, "check", path)
		if status == 0 || !position.MatchString(stderr) {
			t.Errorf("check of broken file %d: status %d, %q %q, want a refusal with line and column", i, status, stdout, stderr)
		}
	}
	if err := os.WriteFile(path, []byte(revision("127.0.0.1:1", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.do(t, "check", path)
}
