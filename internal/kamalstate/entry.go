package kamalstate

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"upfront/api"
)

// entry is one service as kamal-proxy writes it. Pointers are what not every version
// wrote, and what has a default that is not zero.
type entry struct {
	Writer         string   `json:"written_by,omitempty"` // only we know the key
	Name           string   `json:"name"`
	Options        options  `json:"options"`
	TargetOptions  treating `json:"target_options"`
	ActiveTargets  []string `json:"active_targets"`
	ActiveReaders  []string `json:"active_readers"`
	RolloutTargets []string `json:"rollout_targets"`
	RolloutReaders []string `json:"rollout_readers"`
	Pause          *pause   `json:"pause_controller"`
	Rollout        *rollout `json:"rollout_controller"`

	// The keys of the versions before.
	ActiveTarget  string   `json:"active_target,omitempty"`
	RolloutTarget string   `json:"rollout_target,omitempty"`
	Hosts         []string `json:"hosts,omitempty"`
	PathPrefixes  []string `json:"path_prefixes,omitempty"`
}

// writer is what written_by says of our entries. kamal-proxy drops the key when it
// writes.
const writer = "upfront"

type options struct {
	Hosts               []string `json:"hosts"`
	PathPrefixes        []string `json:"path_prefixes"`
	TLSEnabled          bool     `json:"tls_enabled"`
	TLSCertificatePath  string   `json:"tls_certificate_path"`
	TLSPrivateKeyPath   string   `json:"tls_private_key_path"`
	TLSOnDemandURL      string   `json:"tls_on_demand_url"`
	TLSRedirect         *bool    `json:"tls_redirect"`
	CanonicalHost       string   `json:"canonical_host"`
	ACMEDirectory       string   `json:"acme_directory"`
	ACMECachePath       string   `json:"acme_cache_path"`
	ErrorPagePath       string   `json:"error_page_path"`
	StripPrefix         *bool    `json:"strip_prefix"`
	WriterAffinity      *int64   `json:"writer_affinity_timeout"` // nanoseconds, as all times
	ReadersWebSockets   bool     `json:"read_targets_accept_websockets"`
	ExcludeMetricsPaths []string `json:"exclude_metrics_paths"`
	ClientIPHeader      string   `json:"client_ip_header"`
}

type treating struct {
	HealthCheck struct {
		Path     string `json:"path"`
		Port     int    `json:"port"`
		Interval int64  `json:"interval"`
		Timeout  int64  `json:"timeout"`
		Host     string `json:"host"`
	} `json:"health_check_config"`
	ResponseTimeout     int64    `json:"response_timeout"`
	BufferRequests      bool     `json:"buffer_requests"`
	BufferResponses     bool     `json:"buffer_responses"`
	MaxMemoryBufferSize int64    `json:"max_memory_buffer_size"`
	MaxRequestBodySize  int64    `json:"max_request_body_size"`
	MaxResponseBodySize int64    `json:"max_response_body_size"`
	LogRequestHeaders   []string `json:"log_request_headers"`
	LogResponseHeaders  []string `json:"log_response_headers"`
	ForwardHeaders      *bool    `json:"forward_headers"`
	ScopeCookiePaths    bool     `json:"scope_cookie_paths"`
}

type pause struct {
	State       int    `json:"state"`
	StopMessage string `json:"stop_message"`
	FailAfter   int64  `json:"fail_after"`
}

type rollout struct {
	Percentage int `json:"percentage"`
	// SplitPoint is the highest hash of the visitors that Percentage takes. Not read.
	SplitPoint float64  `json:"percentage_split_point"`
	Allowlist  []string `json:"allowlist"`
}

// convert reads one entry; with an error, the name if there is one.
func convert(raw json.RawMessage) (api.ServiceState, error) {
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return api.ServiceState{Name: e.Name}, err
	}
	state := api.ServiceState{
		Name: e.Name, Spec: e.spec(),
		Targets: targets(e.ActiveTargets, e.ActiveTarget), Readers: targets(e.ActiveReaders, ""),
	}
	if err := e.convertGate(&state.Gate); err != nil {
		return state, err
	}
	if in := targets(e.RolloutTargets, e.RolloutTarget); len(in) > 0 {
		state.Rollout = &api.RolloutState{Targets: in, Readers: targets(e.RolloutReaders, "")}
		if r := e.Rollout; r != nil {
			// kamal-proxy took any number, and meant no more than these by it.
			state.Rollout.Split = api.Split{Percent: min(max(r.Percentage, 0), 100), List: r.Allowlist}
		}
	}
	return state, judge(state)
}

// judge reports why the service cannot be what it was.
func judge(state api.ServiceState) error {
	if err := api.ValidateName(state.Name); err != nil {
		return err
	}
	if err := state.Spec.Validate(); err != nil {
		return err
	}
	if err := api.ValidateTargets(state.Targets); err != nil {
		return err
	}
	return api.ValidateReaders(state.Readers)
}

func (e *entry) spec() api.Spec {
	o, t := e.Options, e.TargetOptions
	spec := api.Spec{
		Hosts: named(orLegacy(o.Hosts, e.Hosts)), PathPrefixes: named(orLegacy(o.PathPrefixes, e.PathPrefixes)),
		KeepPathPrefix: o.StripPrefix != nil && !*o.StripPrefix,
		HealthCheck: api.HealthCheck{
			Port: t.HealthCheck.Port, Host: t.HealthCheck.Host,
			Interval: api.Duration(t.HealthCheck.Interval), Timeout: api.Duration(t.HealthCheck.Timeout),
		},
		TargetTimeout:  api.Duration(t.ResponseTimeout),
		BufferRequests: t.BufferRequests, BufferResponses: t.BufferResponses, BufferMemory: t.MaxMemoryBufferSize,
		MaxRequestBody: t.MaxRequestBodySize, MaxResponseBody: t.MaxResponseBodySize,
		ErrorPages:           absolute(o.ErrorPagePath),
		ReadTargetWebSockets: o.ReadersWebSockets,
		ForwardHeaders:       new(!o.TLSEnabled), ClientIPHeader: o.ClientIPHeader, ScopeCookiePaths: t.ScopeCookiePaths,
		LogRequestHeaders: t.LogRequestHeaders, LogResponseHeaders: t.LogResponseHeaders,
		ExcludeMetricsPaths: o.ExcludeMetricsPaths, CanonicalHost: o.CanonicalHost,
	}
	if t.HealthCheck.Path != "" {
		spec.HealthCheck.Paths = []string{t.HealthCheck.Path}
	}
	if t.ForwardHeaders != nil {
		spec.ForwardHeaders = t.ForwardHeaders
	}
	if o.WriterAffinity != nil {
		spec.WriterAffinityTimeout = api.Duration(*o.WriterAffinity)
		if *o.WriterAffinity <= 0 {
			spec.WriterAffinityTimeout = -1
		}
	}
	// kamal-proxy copies what the service at / says of TLS to the others of its host.
	if len(spec.PathPrefixes) == 0 || slices.Contains(spec.PathPrefixes, "/") {
		spec.TLS = o.tls()
	}
	return spec
}

// tls is nil for a service without TLS.
func (o options) tls() *api.TLS {
	if !o.TLSEnabled {
		return nil
	}
	tls := &api.TLS{Redirect: o.TLSRedirect}
	if o.TLSCertificatePath != "" && o.TLSPrivateKeyPath != "" {
		tls.Certificates = []api.CertificateFiles{{
			Certificate: absolute(o.TLSCertificatePath), Key: absolute(o.TLSPrivateKeyPath),
		}}
		return tls
	}
	tls.Automatic = &api.AutomaticTLS{
		Directory: o.ACMEDirectory, CachePath: absolute(o.ACMECachePath), OnDemand: o.TLSOnDemandURL,
	}
	return tls
}

// absolute is a path that kamal-proxy took as seen from its folder, which is ours.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

func (e *entry) convertGate(gate *api.GateState) error {
	if e.Pause == nil {
		return nil
	}
	switch e.Pause.State {
	case 0:
	case 1:
		*gate = api.GateState{State: "paused", MaxPause: api.Duration(e.Pause.FailAfter)}
	case 2:
		*gate = api.GateState{State: "stopped", Message: e.Pause.StopMessage}
	default:
		return fmt.Errorf("its pause state is %d, which is none", e.Pause.State)
	}
	return nil
}

func orLegacy(list, legacy []string) []string {
	if len(list) == 0 {
		return legacy
	}
	return list
}

// named are the entries that say something; kamal-proxy writes "" for every host.
func named(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(text string) bool { return text == "" })
}

func targets(addresses []string, legacy string) []api.Target {
	if len(addresses) == 0 && legacy != "" {
		addresses = []string{legacy}
	}
	var all []api.Target
	for _, address := range addresses {
		all = append(all, api.Target{Address: address})
	}
	return all
}
