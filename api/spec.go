package api

// Spec is what a service is asked to be, apart from its targets: its routes,
// its health check and how its requests are treated. It travels over the
// control socket, lives in the state file and mirrors a service of the config
// file. Zero fields mean the default named beside them.
type Spec struct {
	// Hosts that the service answers for: exact names, or one-level wildcards
	// such as "*.example.com". Empty means every host that no other route takes.
	Hosts []string `json:"hosts,omitempty"`
	// PathPrefixes that the service answers for, matched on segment boundaries.
	// Empty means "/".
	PathPrefixes []string `json:"path_prefixes,omitempty"`
	// KeepPathPrefix forwards the path with the matched prefix; by default the
	// prefix is stripped.
	KeepPathPrefix bool `json:"keep_path_prefix,omitempty"`

	// TLS is how clients reach the service over TLS. Nil is not at all by itself.
	TLS *TLS `json:"tls,omitempty"`
	// CanonicalHost is the host that clients of all others of the service are
	// redirected to. Empty redirects none.
	CanonicalHost string `json:"canonical_host,omitempty"`

	HealthCheck HealthCheck `json:"health_check"`

	// TargetTLS is for targets that are spoken to over TLS, https:// and h2://.
	// Nil trusts the authorities of the system and shows no certificate.
	TargetTLS *TargetTLS `json:"target_tls,omitempty"`

	// Policy chooses a target for a request. Default PolicyRoundRobin.
	Policy Policy `json:"policy,omitempty"`
	// SlowStart lets a target that became healthy take its share of the traffic
	// gradually, over this time. Zero is off.
	SlowStart Duration `json:"slow_start,omitempty"`
	// FailOpen sends requests to unhealthy targets when no healthy one is left,
	// instead of answering 503 at once.
	FailOpen bool `json:"fail_open,omitempty"`

	// TargetTimeout is how long a target may take from the end of the request
	// to the first byte of its answer. Default 30s. Negative is off.
	TargetTimeout Duration `json:"target_timeout,omitempty"`
	// MaxRequestBody in bytes; a larger body is answered 413. Zero is no limit.
	MaxRequestBody int64 `json:"max_request_body,omitempty"`
	// MaxInFlight is how many requests one target may have at once before it
	// counts as full. Zero is no limit.
	MaxInFlight int `json:"max_in_flight,omitempty"`

	// ErrorPages is the folder, as proxyd sees it, of templates such as 503.html
	// that take the place of the built-in error pages. Empty is none.
	ErrorPages string `json:"error_pages,omitempty"`
	// BufferRequests reads the body of a request whole before a target is chosen,
	// so that a slow client keeps no target busy.
	BufferRequests bool `json:"buffer_requests,omitempty"`
	// BufferResponses reads an answer of known length ahead of a client that is
	// slower than its target, so that the target is free early. It delays nothing.
	BufferResponses bool `json:"buffer_responses,omitempty"`
	// BufferMemory is how many bytes of one buffered body stay in memory; the
	// rest goes to a temporary file. Default 1 MiB.
	BufferMemory int64 `json:"buffer_memory,omitempty"`
	// MaxResponseBody in bytes; a larger answer is replaced by a 500, or broken
	// off where its head has gone out. Zero is no limit.
	MaxResponseBody int64 `json:"max_response_body,omitempty"`
	// ReplayBody in bytes: a body announced to be no larger is read whole before
	// the first attempt, even without BufferRequests, so that another attempt can
	// be made with it. Zero is off.
	ReplayBody int64 `json:"replay_body,omitempty"`

	// WriterAffinityTimeout is how long after a request that writes the same
	// client's reads go to targets that write, so that it sees what it wrote. It
	// means something only with readers. Default 1s; negative is off.
	WriterAffinityTimeout Duration `json:"writer_affinity_timeout,omitempty"`
	// ReadTargetWebSockets lets readers take WebSockets.
	ReadTargetWebSockets bool `json:"read_target_websockets,omitempty"`

	// ForwardHeaders says from whom a target gets X-Forwarded-* as they came. Nil:
	// from trusted proxies. True: from everybody, as long as no trusted proxies
	// are configured; then from those. False: from nobody.
	ForwardHeaders *bool `json:"forward_headers,omitempty"`
	// ClientIPHeader is the request header in which a proxy in front of us says
	// the client's address. Empty is none. Where trusted proxies are configured,
	// only they are believed.
	ClientIPHeader string `json:"client_ip_header,omitempty"`
	// ScopeCookiePaths puts the path prefix before the paths of the cookies that
	// targets set, where the prefix is stripped.
	ScopeCookiePaths bool `json:"scope_cookie_paths,omitempty"`
	// LogRequestHeaders and LogResponseHeaders are headers that the access log
	// shows besides its own fields.
	LogRequestHeaders  []string `json:"log_request_headers,omitempty"`
	LogResponseHeaders []string `json:"log_response_headers,omitempty"`
	// ExcludeMetricsPaths are paths, as targets see them, whose requests are not
	// counted in metrics.
	ExcludeMetricsPaths []string `json:"exclude_metrics_paths,omitempty"`
	// PublishHealthCheck answers /.kamal-proxy/NAME/health on every host with 200
	// while the service has a target that takes requests, else with 503.
	PublishHealthCheck bool `json:"publish_health_check,omitempty"`
}

// HealthCheck is how the targets of a service are probed.
type HealthCheck struct {
	// Paths that must all answer well. Default ["/up"].
	Paths []string `json:"paths,omitempty"`
	// GRPC is the service that the gRPC health protocol is asked about, in place of
	// Paths; "" is the target as a whole. Only for h2c:// and h2:// targets. Nil asks
	// the Paths.
	GRPC *string `json:"grpc,omitempty"`
	// Port to probe; zero is the target's own.
	Port int `json:"port,omitempty"`
	// Host is sent as the Host header; empty is the target's host and port, and
	// "localhost" for unix sockets.
	Host string `json:"host,omitempty"`
	// Headers are added to every probe.
	Headers map[string]string `json:"headers,omitempty"`
	// Interval between probes of a healthy target. Default 1s.
	Interval Duration `json:"interval,omitempty"`
	// Timeout of one probe, connect to last byte. Default 5s.
	Timeout Duration `json:"timeout,omitempty"`
	// HealthyThreshold is how many good probes in a row make a target healthy.
	// Default 1.
	HealthyThreshold int `json:"healthy_threshold,omitempty"`
	// MaxAttempts is how many failed probes in a row make a healthy target
	// unhealthy. Default 3.
	MaxAttempts int `json:"max_attempts,omitempty"`
	// Status that counts as good: one code or a range, "200" or "200-399".
	// Default "200-299".
	Status string `json:"status,omitempty"`
	// Body is text that a good answer must contain. Empty accepts any body.
	Body string `json:"body,omitempty"`
}

// Policy names how a target is chosen.
type Policy string

// The policies.
const (
	PolicyRoundRobin       Policy = "round_robin"
	PolicyLeastConnections Policy = "least_connections"
	PolicyTwoChoices       Policy = "two_choices"
)

// Target is one instance of a service.
type Target struct {
	// Address of the target as ParseAddress has it: host:port, perhaps behind a
	// scheme, or unix:/path. The name is resolved on every dial.
	Address string `json:"address"`
	// Weight of the target's share. Default 1.
	Weight int `json:"weight,omitempty"`
}
