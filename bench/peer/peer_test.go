package peer

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upfront/bench/target"
	"upfront/bench/wire"
)

// Kinds of options that a scenario may ask with.
var (
	plain    = Options{Listen: "127.0.0.1:18400", Target: "127.0.0.2:18401", Dir: "/d", Descriptors: 5000}
	logged   = with(func(o *Options) { o.Log = true })
	services = with(func(o *Options) { o.Services = 3 })
	probed   = with(func(o *Options) { o.Probed = []string{"127.1.0.1:18401", "127.1.0.2:18401"} })
	sockets  = with(func(o *Options) { o.WebSocket = true })
	streams  = with(func(o *Options) { o.Streams = true })
	swapped  = with(func(o *Options) { o.Swap = true })
	secure   = with(func(o *Options) { o.TLS = &Certificate{"/c.pem", "/k.pem", "/b.pem"} })
)

func with(change func(*Options)) Options {
	o := plain
	change(&o)
	return o
}

var renderings = []struct {
	name string
	in   Options
	want []string // in the command or the config; "!" before what must not be there
}{
	{"upfront", plain, []string{`targets: ["127.0.0.2:18401"]`, "--http 127.0.0.1:18400", "--access-log off"}},
	{"upfront", logged, []string{"--access-log /d/upfront.log"}},
	{"upfront", services, []string{"hosts: s2.bench.test", "!s3"}},
	{"upfront", probed, []string{"      - 127.1.0.2:18401", "interval: 5s"}},
	{"upfront", swapped, []string{"services: {}"}},
	{"nginx", plain, []string{"access_log off", "server 127.0.0.2:18401", "listen 127.0.0.1:18400 backlog", "!upgrade", "master_process off"}},
	{"nginx", logged, []string{"/d/nginx.log combined"}},
	{"nginx", services, []string{"server_name s2.bench.test", "!s3"}},
	{"nginx", sockets, []string{"$connection_upgrade"}},
	{"nginx", streams, []string{"proxy_buffering off"}},
	{"haproxy", streams, []string{"option http-no-delay"}},
	{"caddy", streams, []string{"flush_interval -1"}},
	{"nginx", swapped, []string{"master_process on"}},
	{"nginx", secure, []string{"ssl http2", "/k.pem", "TLSv1.3", "Ciphersuites TLS_AES_128_GCM_SHA256"}},
	{"haproxy", plain, []string{"server s 127.0.0.2:18401", "bind 127.0.0.1:18400", "!log stdout"}},
	{"haproxy", logged, []string{"log stdout format raw local0", "option httplog"}},
	{"haproxy", services, []string{"backend b2", "s2.bench.test b2", "!b3"}},
	{"haproxy", probed, []string{"server t1 127.1.0.2:18401", "check inter 5s"}},
	{"haproxy", swapped, []string{"stats socket /d/haproxy.sock"}},
	{"haproxy", secure, []string{"ssl crt /b.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3 curves X25519 ciphersuites TLS_AES_128_GCM_SHA256"}},
	{"caddy", plain, []string{"reverse_proxy 127.0.0.2:18401", "http_port 18400", "!output"}},
	{"caddy", logged, []string{"output file /d/caddy.log"}},
	{"caddy", services, []string{"http://s2.bench.test:18400"}},
	{"caddy", probed, []string{"reverse_proxy 127.1.0.1:18401 127.1.0.2:18401", "health_interval 5s"}},
	{"traefik", plain, []string{"--entrypoints.web.address=127.0.0.1:18400", `url: "http://127.0.0.2:18401"`, "!accesslog"}},
	{"traefik", logged, []string{"--accesslog.filepath=/d/traefik.log"}},
	{"traefik", services, []string{"Host(`s2.bench.test`)"}},
	{"traefik", probed, []string{"healthCheck: {path: /up, interval: 5s}"}},
	{"kamal-proxy", plain, []string{"run --http-port 18400 --https-port 18403"}},
	{"envoy", plain, []string{"--concurrency 1", "{address: 127.0.0.2, port_value: 18401}"}},
	{"envoy", probed, []string{"http_health_check: {path: /up}", "interval: 5s"}},
}

func TestRender_eachProxySaysWhatIsAsked(t *testing.T) {
	for _, test := range renderings {
		command, files, err := Peer{test.name, test.name}.Describe(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		text := command
		for _, file := range files {
			text += "\n" + file
		}
		for _, want := range test.want {
			unwanted, no := strings.CutPrefix(want, "!")
			if no == strings.Contains(text, unwanted) {
				t.Errorf("%s: want %q in\n%s", test.name, want, text)
			}
		}
	}
}

func TestUpfrontConfig_withTLS(t *testing.T) {
	got := upfrontConfig(secure)
	if want := `tls: {certificates: [{certificate: "/c.pem", key: "/k.pem"}]}`; !strings.Contains(got, want) {
		t.Errorf("want %q in\n%s", want, got)
	}
}

func TestRender_saysWhatAPeerCannot(t *testing.T) {
	for name, o := range map[string]Options{
		"nginx":       {Probed: []string{"127.1.0.1:1"}},
		"kamal-proxy": {Services: 10_000},
		"envoy":       {Swap: true},
		"traefik":     {Target: UnixTarget + "/app.sock"},
	} {
		_, _, err := Peer{name, name}.Describe(o)
		if _, ok := errors.AsType[CannotError](err); !ok {
			t.Errorf("%s: got %v, want a CannotError", name, err)
		}
	}
}

func TestProbedTarget_areTenThousandOfTheLoopback(t *testing.T) {
	seen := map[string]bool{}
	for i := range 10_000 {
		address := ProbedTarget(i, 80)
		if seen[address] || !strings.HasPrefix(address, "127.1.") {
			t.Fatalf("target %d: got %s, want another of 127.1.0.0/16", i, address)
		}
		if _, err := net.ResolveTCPAddr("tcp4", address); err != nil {
			t.Fatal(err)
		}
		seen[address] = true
	}
}

func TestFind_namesTheKnown(t *testing.T) {
	if _, err := Find("squid", "sh"); err == nil || !strings.Contains(err.Error(), "nginx") {
		t.Errorf("unknown: got %v, want the known names", err)
	}
	if _, err := Find("nginx", "no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("not there: got %v, want exec.ErrNotFound", err)
	}
}

// The proxies that this machine has take the configs that they are given.
func TestStart_passesRequestsOn(t *testing.T) {
	listener, err := wire.Listen("127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	go target.Serve(listener)
	socket := filepath.Join(shortDir(t), "app.sock")
	beside, err := wire.Listen(UnixTarget + socket)
	if err != nil {
		t.Fatal(err)
	}
	go target.Serve(beside)
	address, err := wire.LocalAddress(listener)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Known() {
		t.Run(name, func(t *testing.T) {
			path := name
			if name == "upfront" {
				path = "../../bin/proxyd"
			}
			p, err := Find(name, path)
			if err != nil {
				t.Skip(err)
			}
			for what, o := range map[string]Options{
				"plain": {}, "logged": {Log: true}, "services": {Services: 3}, "WebSockets": {WebSocket: true}, "streams": {Streams: true}, "swapped": {Swap: true},
				"probed": {Probed: []string{address}}, "unix socket": {Target: UnixTarget + socket},
			} {
				dir := shortDir(t)
				o.Listen, o.Dir, o.Descriptors = freeAddress(t), dir, 1024
				if o.Target == "" {
					o.Target = address
				}
				running, err := p.Start("0", o)
				if _, ok := errors.AsType[CannotError](err); ok {
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				if running.CanSwap() {
					if err := running.Swap(t.Context(), address); err != nil {
						t.Errorf("%s: swap: %v", what, err)
					}
					if err := answers(t.Context(), o.Listen, Host(0)); err != nil {
						t.Errorf("%s: after the swap: %v", what, err)
					}
				}
				running.Stop()
				if logs, _ := filepath.Glob(filepath.Join(dir, "*.log")); o.Log && len(logs) == 0 {
					t.Errorf("%s: no access log", what)
				}
			}
		})
	}
}

// shortDir is a folder for sockets: their paths have to be short.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
