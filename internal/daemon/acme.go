package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upfront/api"
	"upfront/cert/acme"
	"upfront/config"
)

// openACME makes what gets certificates by itself. Those that the storage has
// for the services that are there serve when it returns; nothing is asked of anybody.
func (d *daemon) openACME(now settings) error {
	o, err := acmeOptions(now)
	if err != nil {
		return usageError{err}
	}
	o.AskService, o.Logger = d.askService, d.log.Named("acme")
	for _, ln := range d.listeners {
		switch {
		case ln.options.TLS == nil && o.HTTP == nil:
			o.HTTP = ln.Addr()
		case ln.options.TLS != nil && o.TLS == nil:
			o.TLS = ln.Addr()
		}
	}
	d.acme = acme.New(o)
	d.publishHosts()
	return nil
}

// publishHosts says which hosts are to have certificates. The registry calls it behind
// every publication.
func (d *daemon) publishHosts() {
	if d.acme != nil {
		d.acme.Publish(wanted(d.registry.Services(), d.certificates.Has))
	}
}

// automaticCertificate is asked for names that no file has a certificate for.
func (d *daemon) automaticCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if d.acme == nil {
		return nil, nil //nolint:nilnil // It is how package tls wants it.
	}
	return d.acme.GetCertificate(hello)
}

// wanted is what services ask of automatic certificates, for the hosts that have none
// from a file.
func wanted(services []api.ServiceInfo, has func(host string) bool) (all []acme.Wanted) {
	for _, s := range services {
		if s.Spec.TLS == nil || s.Spec.TLS.Automatic == nil {
			continue
		}
		automatic := s.Spec.TLS.Automatic
		all = append(all, acme.Wanted{
			Service: s.Name, Hosts: slices.DeleteFunc(slices.Clone(s.Spec.Hosts), has), Directory: automatic.Directory,
			Cache: automatic.CachePath, Ask: automatic.OnDemand,
		})
	}
	return all
}

// Answer answers the challenges of authorities: daemon is the proxy.Challenges.
func (d *daemon) Answer(host, path []byte) (body []byte, ok bool) {
	return d.acme.Answer(host, path)
}

// askService asks a target of a service whether name may have a certificate.
func (d *daemon) askService(ctx context.Context, service, path, name string) error {
	info, ok := d.registry.Service(service)
	if !ok {
		return fmt.Errorf("service %q was removed", service)
	}
	return askTargets(ctx, d.registry, info, path, name)
}

// targets is what connects to the targets of services.
type targets interface {
	DialTarget(ctx context.Context, service, address string) (net.Conn, error)
}

// askTargets asks the healthy targets of a service, over what their probes go over too,
// until one says yes.
func askTargets(ctx context.Context, over targets, info api.ServiceInfo, path, name string) error {
	if info.Gate == "stopped" {
		return fmt.Errorf("service %q is stopped", info.Name)
	}
	var err error
	for _, target := range info.Targets {
		if target.Health != "healthy" || target.Draining {
			continue
		}
		dial := func(ctx context.Context) (net.Conn, error) { return over.DialTarget(ctx, info.Name, target.Address) }
		if err = acme.Ask(ctx, dial, "http://"+info.Name+path, name, name); err == nil {
			return nil
		}
		err = fmt.Errorf("target %s: %w", target.Address, err)
	}
	if err == nil {
		err = fmt.Errorf("service %q has no healthy target", info.Name)
	}
	return err
}

func acmeOptions(now settings) (o acme.Options, err error) {
	file := now.acme
	o = acme.Options{
		Storage: acme.NewFolder(firstOf(file.Storage, filepath.Join(filepath.Dir(now.state), "certificates"))),
		Caches:  file.Caches,
		DNS:     acme.DNS{Resolvers: file.DNS.Resolvers, PropagationTimeout: file.DNS.PropagationTimeout},
	}
	// Where kamal-proxy keeps its certificates: in its container, which ours replaces.
	if home, err := os.UserHomeDir(); err == nil {
		o.Caches = append(slices.Clone(o.Caches), filepath.Join(home, ".config", "kamal-proxy", "certs"))
	}
	if o.Authority, err = authority(file.Authority); err != nil {
		return o, fmt.Errorf("tls: %w", err)
	}
	if file.Fallback != nil {
		other, err := authority(*file.Fallback)
		if err != nil {
			return o, fmt.Errorf("tls.fallback: %w", err)
		}
		other.Email = firstOf(other.Email, o.Authority.Email)
		o.Fallback = &other
	}
	if file.DNS.Provider != "" {
		if o.DNS.Provider, err = dnsProvider(file.DNS); err != nil {
			return o, fmt.Errorf("tls.dns: %w", err)
		}
	}
	return o, nil
}

func authority(a config.Authority) (_ acme.Authority, err error) {
	made := acme.Authority{Directory: a.Directory, Email: a.Email, KeyID: a.EAB.KeyID}
	if made.MACKey, err = secret(a.EAB.MACKey); err != nil {
		return made, fmt.Errorf("eab: %w", err)
	}
	if a.DirectoryCA != "" {
		text, err := os.ReadFile(a.DirectoryCA)
		if err != nil {
			return made, fmt.Errorf("directory_ca: %w", err)
		}
		made.Roots = x509.NewCertPool()
		if !made.Roots.AppendCertsFromPEM(text) {
			return made, fmt.Errorf("directory_ca: %s has no certificate in PEM", a.DirectoryCA)
		}
	}
	return made, nil
}

// dnsProvider makes the provider that the file names.
func dnsProvider(dns config.DNS) (acme.DNSProvider, error) {
	create, ok := dnsProviders[dns.Provider]
	if !ok {
		return nil, fmt.Errorf("provider %q is not built in: choose %s, or build proxyd with it",
			dns.Provider, strings.Join(slices.Sorted(maps.Keys(dnsProviders)), ", "))
	}
	values := maps.Clone(dns.Options)
	var problems []error
	for name, value := range values {
		text, err := secret(value)
		values[name] = text
		if err != nil {
			problems = append(problems, fmt.Errorf("options.%s: %w", name, err))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	provider := create()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(provider); err != nil {
		return nil, fmt.Errorf("options of %s: %w", dns.Provider, err)
	}
	return provider, nil
}

// secret is a value, or the content of the file that it names.
func secret(value string) (string, error) {
	path, named := strings.CutPrefix(value, "file:")
	if !named {
		return value, nil
	}
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}
