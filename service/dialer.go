package service

import (
	"context"
	"errors"
	"fmt"
	"net"

	"upfront/api"
	"upfront/dial"
)

// newDialer returns what connects to a target of spec, whose address is valid.
func newDialer(spec api.Spec, address string) *dial.Dialer {
	a, err := api.ReadAddress(address)
	if err != nil {
		panic("BUG: target was not validated: " + err.Error())
	}
	o := dial.Options{Address: a.Place, Name: a.String(), HTTP2: a.Scheme.HTTP2()}
	if a.Scheme == api.SchemeUnix {
		o.Network = "unix"
	}
	if a.Scheme.TLS() {
		o.TLS = dialTLS(spec)
	}
	return dial.New(o)
}

func targetTLS(spec api.Spec) api.TargetTLS {
	if spec.TargetTLS == nil {
		return api.TargetTLS{}
	}
	return *spec.TargetTLS
}

func dialTLS(spec api.Spec) *dial.TLS {
	t := targetTLS(spec)
	return &dial.TLS{
		CA: t.CA, Name: t.Name, Certificate: t.Certificate, Key: t.Key,
		InsecureSkipVerify: t.InsecureSkipVerify,
	}
}

// checkTLS reports what is wrong with the files that a deploy asks for. One that is
// live already, or that the config file declares, is not refused for them: they may
// come back, and until then its probes say what is missing.
func checkTLS(spec api.Spec) error {
	if spec.TargetTLS == nil {
		return nil
	}
	if err := dialTLS(spec).Check(); err != nil {
		flag := "--target-tls-ca"
		if unread, ok := errors.AsType[*dial.FileError](err); ok {
			flag = unread.Flag
		}
		return failure(api.CodeInvalid, flag, "%s", err)
	}
	return nil
}

// probes returns how probes connect: each alone, and to another port where the check
// has one.
func probes(dialer *dial.Dialer, port int) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		if port == 0 {
			address = ""
		}
		return dialer.DialAlone(ctx, address)
	}
}

// DialTarget connects to an active target of a service for one request in HTTP/1.1, as
// its probes do. ctx ends the attempt.
func (r *Registry) DialTarget(ctx context.Context, service, address string) (net.Conn, error) {
	if live := r.published(service); live != nil {
		for _, m := range live.members {
			if m.spec.Address == address {
				return m.dialer.DialAlone(ctx, "")
			}
		}
	}
	return nil, fmt.Errorf("target %s of service %q was removed", address, service)
}
