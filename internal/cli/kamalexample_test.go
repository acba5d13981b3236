package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// kamalKeys are the flags that Kamal makes of keys of deploy.yml, as %s; "" is none.
var kamalKeys = map[string]string{
	"proxy.host": "--host=%s", "proxy.app_port": "", "proxy.response_timeout": "--target-timeout=%ss",
	"proxy.healthcheck.path": "--health-check-path=%s", "proxy.healthcheck.interval": "--health-check-interval=%ss", "proxy.healthcheck.timeout": "--health-check-timeout=%ss",
	"proxy.run.registry": "", "proxy.run.repository": "", "proxy.run.version": "",
}

// The deploy of examples/kamal is one that we take, and its image one that Kamal takes.
func TestKamal_theExampleDeploys(t *testing.T) {
	keys := deployKeys(t, "../../examples/kamal/deploy.yml")
	args := []string{
		"deploy", "app-web", "--target=0123456789ab:" + keys["proxy.app_port"], "--deploy-timeout=30s", "--drain-timeout=30s",
		"--buffer-requests", "--buffer-responses", "--log-request-header=Cache-Control",
	}
	for key, value := range keys {
		if !strings.HasPrefix(key, "proxy.") {
			continue
		}
		flag, known := kamalKeys[key]
		if !known {
			t.Errorf("no flag is known of %s", key)
		}
		if flag != "" {
			args = append(args, strings.Replace(flag, "%s", value, 1))
		}
	}
	d := startDaemon(t, streams(webDeployed...))
	if got := kamalProxy(t, d.socket, nil, args...); got != (run{}) {
		t.Errorf("%q: got %+v, want silence and status 0", args, got)
	}
	if version := keys["proxy.run.version"]; !regexp.MustCompile(`^v[1-9]\d*\.\d+\.\d+$`).MatchString(version) {
		t.Errorf("version %q: Kamal wants one above v0.9.2", version)
	}
	if name := keys["proxy.run.repository"]; !strings.HasSuffix(name, "/kamal-proxy") {
		t.Errorf("repository %q: `kamal proxy boot_config` can only name kamal-proxy", name)
	}
}

// deployKeys reads the keys with a plain value of a file without anything but maps,
// lists and plain values.
func deployKeys(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	var above []string
	for line := range strings.Lines(string(content)) {
		text := strings.TrimSpace(line)
		key, value, found := strings.Cut(text, ":")
		if !found || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "-") {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		if depth > len(above) {
			t.Fatalf("%s: %q is indented too far", path, text)
		}
		above = append(above[:depth], key)
		if value = strings.TrimSpace(value); value != "" {
			keys[strings.Join(above, ".")] = value
		}
	}
	return keys
}
