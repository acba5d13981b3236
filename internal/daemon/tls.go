package daemon

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"upfront/cert"
	"upfront/cert/acme"
	"upfront/config"
	"upfront/internal/logfield"
	"upfront/proxy"
	"upfront/service"
)

// clientListener is a bound address where clients arrive.
type clientListener struct {
	net.Listener
	options proxy.ListenerOptions
}

// listen binds the addresses where clients arrive, or takes the sockets that were
// passed in their place.
func (d *daemon) listen(ctx context.Context, sockets passed, now settings) (err error) {
	plain, secure := sockets.http, sockets.https
	if len(plain) == 0 && len(secure) == 0 {
		if plain, err = listenAll(ctx, "--http", now.http); err != nil {
			return err
		}
	}
	if len(secure) == 0 {
		if secure, err = listenAll(ctx, "--https", now.https); err != nil {
			closeAll(plain)
			return err
		}
	}
	httpsPort := 0
	if len(secure) > 0 {
		httpsPort = portOf(secure[0])
	}
	for _, ln := range plain {
		d.listeners = append(d.listeners, clientListener{ln, proxy.ListenerOptions{
			ProxyProtocol: balancersOf(ln, now.http, plain), HTTPSPort: httpsPort,
		}})
	}
	for _, ln := range secure {
		d.listeners = append(d.listeners, clientListener{ln, proxy.ListenerOptions{
			ProxyProtocol: balancersOf(ln, now.https, secure), HTTPSPort: httpsPort,
			TLS: &proxy.TLSOptions{
				Certificate: d.certificates.GetCertificate,
				Protocols:   []string{"h2", "http/1.1", acme.Protocol},
			},
		}})
	}
	return nil
}

func portOf(ln net.Listener) int {
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// names of the listeners as status shows them.
func names(listeners []clientListener) []string {
	all := make([]string, len(listeners))
	for i, ln := range listeners {
		scheme := "http://"
		if ln.options.TLS != nil {
			scheme = "https://"
		}
		all[i] = scheme + ln.Addr().String()
	}
	return all
}

// openCertificates opens those for hosts whose services have none. One that cannot be
// read costs only itself, until its files are good: a change of the file was checked
// before.
func (r *reloader) openCertificates(file *config.File) []*cert.Pair {
	pairs := make([]*cert.Pair, 0, len(file.Certificates))
	for _, c := range file.Certificates {
		pair, err := cert.Open(cert.Files(c.CertificateFiles))
		if err != nil {
			r.log.Error("Certificate could not be read", logfield.Path(c.Certificate), logfield.Error(err))
		}
		pairs = append(pairs, pair)
	}
	return pairs
}

// checkCertificates returns what is wrong with certificates, each at its place.
func (r *reloader) checkCertificates(file *config.File, services []service.Declared, text []byte) (problems config.Errors) {
	note := func(line, column int, key string, err error) {
		if err != nil {
			problems = append(problems, config.Mistake(r.path, text, line, column, key+": "+oneLine(err)))
		}
	}
	for _, c := range file.Certificates {
		_, err := cert.Open(cert.Files(c.CertificateFiles))
		note(c.Line, c.Column, "certificates", err)
	}
	for i, s := range file.Services {
		note(s.TLSLine, s.TLSColumn, "tls", services[i].CheckTLS())
	}
	return problems
}

// certificateReplaced notes that a file of a certificate was replaced.
func (d *daemon) certificateReplaced(event cert.Event) {
	if event.Err != nil {
		d.log.Named("cert").Error("Certificate not replaced, the one before is kept",
			logfield.Path(event.Path), zap.NamedError("error", event.Err))
		return
	}
	d.log.Named("cert").Info("Certificate replaced", logfield.Path(event.Path))
}

// balancersOf are the networks that send a PROXY header to ln, one of all: those of the
// listener in the settings that is its like, or that has its port, for the service
// manager may have bound it.
func balancersOf(ln net.Listener, places []config.Listener, all []net.Listener) (networks []netip.Prefix) {
	if len(places) == len(all) {
		return places[slices.Index(all, ln)].ProxyProtocol
	}
	for _, place := range places {
		if _, port, err := net.SplitHostPort(place.Address); err == nil && port == strconv.Itoa(portOf(ln)) {
			networks = append(networks, place.ProxyProtocol...)
		}
	}
	return networks
}
