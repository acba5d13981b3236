// Package grpc holds proxyd against grpc-go: its interop client talks to its interop
// server through us, all cases, over every way that both sides can be spoken to. It is
// a module of its own, so that the programs do not depend on grpc.
package grpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// cases are those of grpc-go's interop client that need no account at a cloud, no
// load balancer of grpc's own (pick_first, ORCA) and no patience (the soaks).
var cases = []struct {
	name string
	run  func(ctx context.Context, conn *grpc.ClientConn, client testgrpc.TestServiceClient)
}{
	{"empty_unary", plain(interop.DoEmptyUnaryCall)},
	{"large_unary", plain(interop.DoLargeUnaryCall)},
	{"client_streaming", plain(interop.DoClientStreaming)},
	{"server_streaming", plain(interop.DoServerStreaming)},
	{"ping_pong", plain(interop.DoPingPong)},
	{"empty_stream", plain(interop.DoEmptyStream)},
	{"timeout_on_sleeping_server", plain(interop.DoTimeoutOnSleepingServer)},
	{"cancel_after_begin", plain(interop.DoCancelAfterBegin)},
	{"cancel_after_first_response", plain(interop.DoCancelAfterFirstResponse)},
	{"custom_metadata", plain(interop.DoCustomMetadata)},
	{"status_code_and_message", plain(interop.DoStatusCodeAndMessage)},
	{"special_status_message", plain(interop.DoSpecialStatusMessage)},
	{"unimplemented_method", func(ctx context.Context, conn *grpc.ClientConn, _ testgrpc.TestServiceClient) {
		interop.DoUnimplementedMethod(ctx, conn)
	}},
	{"unimplemented_service", func(ctx context.Context, conn *grpc.ClientConn, _ testgrpc.TestServiceClient) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
	}},
}

func plain(do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn, testgrpc.TestServiceClient) {
	return func(ctx context.Context, _ *grpc.ClientConn, client testgrpc.TestServiceClient) { do(ctx, client) }
}

// A case that fails ends its process, so each has one of its own: this program again.
const (
	variableCase   = "UPFRONT_GRPC_CASE"
	variableTarget = "UPFRONT_GRPC_ADDRESS"
	variableCA     = "UPFRONT_GRPC_CA" // empty: no TLS
)

func TestMain(m *testing.M) {
	name := os.Getenv(variableCase)
	if name == "" {
		os.Exit(m.Run())
	}
	for _, c := range cases {
		if c.name == name {
			runCase(c.run)
			os.Exit(0)
		}
	}
	os.Exit(3)
}

func runCase(run func(context.Context, *grpc.ClientConn, testgrpc.TestServiceClient)) {
	secret := insecure.NewCredentials()
	if file := os.Getenv(variableCA); file != "" {
		var err error
		if secret, err = credentials.NewClientTLSFromFile(file, "localhost"); err != nil {
			panic(err)
		}
	}
	conn, err := grpc.NewClient(os.Getenv(variableTarget), grpc.WithTransportCredentials(secret))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	run(ctx, conn, testgrpc.NewTestServiceClient(conn))
}

func TestInterop(t *testing.T) {
	programs := build(t)
	pair := newCertificate(t)
	for _, target := range []string{"h2c", "h2"} {
		for _, client := range []string{"h2c", "tls"} {
			t.Run("target "+target+", client "+client, func(t *testing.T) {
				p := startProxy(t, programs, pair, client)
				p.deploy(t, target+"://"+startApp(t, target, pair), pair.file)
				for _, c := range cases {
					t.Run(c.name, func(t *testing.T) { p.runCase(t, c.name) })
				}
			})
		}
	}
}

// startApp starts grpc-go's interop server as an app.
func startApp(t *testing.T, scheme string, pair *certificate) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var options []grpc.ServerOption
	if scheme == "h2" {
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair.pair}})))
	}
	app := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(app, interop.NewTestServer())
	well := health.NewServer()
	well.SetServingStatus("grpc.testing.TestService", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(app, well)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = app.Serve(ln)
	}()
	t.Cleanup(func() {
		app.Stop()
		<-ended
	})
	return ln.Addr().String()
}

// proxy is a running proxyd.
type proxy struct {
	programs, socket, address, ca string
}

func build(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"proxyd", "proxyctl"} {
		command := exec.Command("go", "build", "-o", filepath.Join(folder, name), "./cmd/"+name)
		command.Dir = "../.."
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return folder
}

// startProxy starts proxyd so that clients can speak HTTP/2 to it, or skips the test
// where this proxyd cannot be told to.
func startProxy(t *testing.T, programs string, pair *certificate, client string) *proxy {
	t.Helper()
	folder, address := t.TempDir(), freeAddress(t)
	p := &proxy{programs: programs, socket: filepath.Join(folder, "control.sock"), address: address}
	text := fmt.Sprintf("listeners:\n  http: [%q]\nhttp2:\n  cleartext: true\n", address)
	if client == "tls" {
		p.ca = pair.file
		text = fmt.Sprintf("listeners:\n  http: [%q]\n  https: [%q]\nservices:\n  grpc:\n    hosts: [localhost]\n    tls:\n"+
			"      certificates:\n        - certificate: %q\n          key: %q\n    health_check:\n      grpc: \"\"\n    target_tls:\n      ca: %q\n",
			freeAddress(t), address, pair.file, pair.keyFile, pair.file)
	}
	file := filepath.Join(folder, "proxy.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(programs, "proxyd"), "check", file).CombinedOutput(); err != nil {
		t.Skipf("this proxyd does not take %s from clients: %s", client, out)
	}
	command := exec.Command(filepath.Join(programs, "proxyd"), "--config", file, "--socket", p.socket,
		"--state", filepath.Join(folder, "state.json"), "--access-log", "off")
	log := &strings.Builder{}
	command.Stderr = log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
		if t.Failed() {
			t.Logf("proxyd said:\n%s", log)
		}
	})
	until := time.Now().Add(10 * time.Second)
	for {
		out, err := exec.Command(filepath.Join(programs, "proxyctl"), "--socket", p.socket, "list").CombinedOutput()
		if err == nil {
			return p
		}
		if time.Now().After(until) {
			t.Fatalf("proxyd did not start: %s", out)
		}
	}
}

func (p *proxy) deploy(t *testing.T, target, ca string) {
	t.Helper()
	arguments := []string{"--socket", p.socket, "deploy", "grpc", "--target", target, "--health-check-grpc", "", "--host", "localhost"}
	if strings.HasPrefix(target, "h2:") {
		arguments = append(arguments, "--target-tls-ca", ca)
	}
	if out, err := exec.Command(filepath.Join(p.programs, "proxyctl"), arguments...).CombinedOutput(); err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
}

func (p *proxy) runCase(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	_, port, _ := net.SplitHostPort(p.address)
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), variableCase+"="+name, variableTarget+"=localhost:"+port, variableCA+"="+p.ca)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// freeAddress is where nobody listens at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
