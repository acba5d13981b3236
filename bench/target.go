package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// serveTarget is the process behind every proxy: about 300 bytes an answer, and
// /up for probes.
func serveTarget(args []string) error {
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	body := strings.Repeat("0123456789", 13)
	server := fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.Set("X-App", "bench")
		ctx.Response.Header.Set("Cache-Control", "no-cache")
		ctx.SetContentType("text/html; charset=utf-8")
		ctx.SetBodyString(body)
	}}
	return server.Serve(ln)
}

// startTarget runs serveTarget in a process of its own beside the load.
func startTarget() (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	listen := freeAddress()
	cmd := pinned(loadCore, self, "target", listen)
	if err := start(cmd, listen); err != nil {
		return nil, "", fmt.Errorf("start target: %w", err)
	}
	time.Sleep(50 * time.Millisecond)
	return cmd, listen, nil
}
