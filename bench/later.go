package main

import "errors"

// later stands for the scenarios that wait for Upfront's TLS. What is there already:
// peer.Options.TLS, which nginx, HAProxy, Caddy and Upfront are rendered with. What they
// need: a certificate in bench.dir, and a load that ends TLS and HTTP/2; crypto/tls
// and net/http will do, whose cost the row named direct has to show.
func later(*bench) error {
	return errors.New("not measured yet: it waits for TLS")
}
