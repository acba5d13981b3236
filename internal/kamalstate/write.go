package kamalstate

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"upfront/api"
	"upfront/internal/atomicfile"
)

// letsEncrypt is the ACME directory that kamal-proxy writes for every service that
// names none.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// firstSuffix names the copy of the file as it was before we first wrote it.
const firstSuffix = ".first"

// Writer writes the state file of kamal-proxy, for the way back to it. There must be
// one at a time.
type Writer struct {
	// Path of the file.
	Path string
	// Certificates is the folder of kamal-proxy's certificates, for services that do
	// not name one.
	Certificates string
}

// Write replaces the file, atomically: what was there before is kept as PATH.bak, and
// what was there before the first Write as PATH.first. lost says which services
// kamal-proxy could not serve as they are; they are left out, for it loses all of
// them when it cannot restore one.
func (w Writer) Write(services []api.ServiceState) (lost []error, err error) {
	entries := make([]entry, 0, len(services))
	for _, state := range services {
		if len(state.Targets) == 0 {
			continue // named in the config file, never deployed
		}
		e, err := w.entry(state)
		if err != nil {
			lost = append(lost, fmt.Errorf("service %q has no way back to kamal-proxy: %w", state.Name, err))
			continue
		}
		entries = append(entries, e)
	}
	data, err := json.Marshal(entries)
	if err != nil {
		return lost, fmt.Errorf("encode state of kamal-proxy: %w", err)
	}
	if before, err := atomicfile.Read(w.Path, maxBytes); err == nil && bytes.Equal(before, data) {
		return lost, nil
	}
	if err := keepFirst(w.Path); err != nil {
		return lost, fmt.Errorf("keep state of kamal-proxy: %w", err)
	}
	if err := atomicfile.Write(w.Path, data); err != nil {
		return lost, fmt.Errorf("write state of kamal-proxy: %w", err)
	}
	return lost, nil
}

func keepFirst(path string) error {
	if _, err := os.Lstat(path + firstSuffix); err == nil {
		return nil
	}
	data, err := atomicfile.Read(path, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return atomicfile.Write(path+firstSuffix, data)
}

// Newer reports whether kamal-proxy has written the file at path since our own state
// was written: then what we know is old.
func Newer(path, own string) bool {
	theirs, err := os.Stat(path)
	if err != nil {
		return false
	}
	ours, err := os.Stat(own)
	if err != nil || !theirs.ModTime().After(ours.ModTime()) {
		return false
	}
	data, err := atomicfile.Read(path, maxBytes)
	if err != nil {
		return false
	}
	var entries []struct {
		Writer string `json:"written_by"`
	}
	if json.Unmarshal(data, &entries) != nil || len(entries) == 0 {
		return false // nothing to take over, or half written
	}
	for _, e := range entries {
		if e.Writer != "" {
			return false
		}
	}
	return true
}

// kamalTarget is what kamal-proxy takes for a target.
var kamalTarget = regexp.MustCompile(`^(\w[-_.\w+]+)(:\d+)?$`)

func (w Writer) entry(state api.ServiceState) (e entry, err error) {
	spec := state.Spec.WithDefaults()
	e = entry{
		Writer: writer, Name: state.Name, Options: w.options(spec), TargetOptions: treatment(spec),
		Pause: gate(state.Gate), ActiveReaders: []string{},
	}
	if err := usable(e.Options); err != nil {
		return e, err
	}
	if path := e.Options.ErrorPagePath; path != "" {
		// It reads every page at its start, and serves nothing if it cannot read one.
		if _, err := template.ParseFS(os.DirFS(path), "*.html"); err != nil {
			e.Options.ErrorPagePath = "" // the service is worth more than its pages
		}
	}
	if e.ActiveTargets, err = addresses(state.Targets); err != nil {
		return e, err
	}
	if e.ActiveReaders, err = addresses(state.Readers); err != nil {
		return e, err
	}
	if r := state.Rollout; r != nil {
		if e.RolloutTargets, err = addresses(r.Targets); err != nil {
			return e, err
		}
		if e.RolloutReaders, err = addresses(r.Readers); err != nil {
			return e, err
		}
		if split := r.Split; split.Percent > 0 || len(split.List) > 0 { // it knows nothing but the cookie
			e.Rollout = &rollout{
				Percentage: split.Percent, Allowlist: split.List,
				SplitPoint: math.Floor(math.MaxUint32 * float64(split.Percent) / 100),
			}
		}
	}
	return e, nil
}

// usable reports why kamal-proxy could not restore a service, and with it none.
func usable(o options) error {
	switch {
	case !o.TLSEnabled:
		return nil
	case o.TLSCertificatePath != "":
		if _, err := tls.LoadX509KeyPair(o.TLSCertificatePath, o.TLSPrivateKeyPath); err != nil {
			return fmt.Errorf("load its certificate: %w", err)
		}
	case slices.ContainsFunc(o.Hosts, func(host string) bool { return strings.HasPrefix(host, "*") }):
		return errors.New("it gets certificates for wildcards")
	}
	return nil
}

func addresses(targets []api.Target) ([]string, error) {
	all := []string{}
	for _, target := range targets {
		if !kamalTarget.MatchString(target.Address) {
			return nil, fmt.Errorf("it knows no target like %q", target.Address)
		}
		all = append(all, target.Address)
	}
	return all, nil
}

func (w Writer) options(spec api.Spec) options {
	o := options{
		Hosts: spec.Hosts, PathPrefixes: spec.PathPrefixes, TLSRedirect: new(true), CanonicalHost: spec.CanonicalHost,
		ACMECachePath: w.Certificates, ErrorPagePath: spec.ErrorPages, StripPrefix: new(!spec.KeepPathPrefix),
		WriterAffinity: new(int64(max(spec.WriterAffinityTimeout, 0))), ReadersWebSockets: spec.ReadTargetWebSockets,
		ExcludeMetricsPaths: spec.ExcludeMetricsPaths, ClientIPHeader: spec.ClientIPHeader,
	}
	if len(o.Hosts) == 0 {
		o.Hosts = []string{""}
	}
	if spec.TLS == nil {
		return o
	}
	o.TLSEnabled = true
	if spec.TLS.Redirect != nil {
		o.TLSRedirect = spec.TLS.Redirect
	}
	if files := spec.TLS.Certificates; len(files) > 0 {
		o.TLSCertificatePath, o.TLSPrivateKeyPath = files[0].Certificate, files[0].Key
	}
	if a := spec.TLS.Automatic; a != nil {
		// The folder of its cache has the directory's name.
		o.ACMEDirectory, o.TLSOnDemandURL = cmp.Or(a.Directory, letsEncrypt), a.OnDemand
		if a.CachePath != "" {
			o.ACMECachePath = a.CachePath
		}
	}
	return o
}

func treatment(spec api.Spec) treating {
	t := treating{
		ResponseTimeout: int64(max(spec.TargetTimeout, 0)), BufferRequests: spec.BufferRequests, BufferResponses: spec.BufferResponses,
		MaxMemoryBufferSize: spec.BufferMemory, MaxRequestBodySize: spec.MaxRequestBody, MaxResponseBodySize: spec.MaxResponseBody,
		LogRequestHeaders: spec.LogRequestHeaders, LogResponseHeaders: spec.LogResponseHeaders,
		ForwardHeaders: spec.ForwardHeaders, ScopeCookiePaths: spec.ScopeCookiePaths,
	}
	if t.ForwardHeaders == nil {
		t.ForwardHeaders = new(spec.TLS == nil)
	}
	h := &t.HealthCheck
	h.Path, h.Port, h.Host = spec.HealthCheck.Paths[0], spec.HealthCheck.Port, spec.HealthCheck.Host
	h.Interval, h.Timeout = int64(spec.HealthCheck.Interval), int64(spec.HealthCheck.Timeout)
	return t
}

func gate(state api.GateState) *pause {
	switch state.State {
	case "paused":
		return &pause{State: 1, FailAfter: int64(state.MaxPause)}
	case "stopped":
		return &pause{State: 2, StopMessage: state.Message}
	}
	return &pause{}
}
