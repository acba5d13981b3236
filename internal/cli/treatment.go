package cli

import (
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// treatmentFlags are how requests are treated on their way to a target. All names
// are kamal-proxy's.
type treatmentFlags struct {
	readTargets                      []string
	writerAffinity                   time.Duration
	readWebSockets                   bool
	forwardHeaders                   bool
	forwardHeadersGiven              func() bool
	clientIPHeader                   string
	scopeCookiePaths                 bool
	logRequestHeaders                []string
	logResponseHeaders               []string
	excludeMetricsPaths              []string
	publishHealthCheck, forceTargets bool
}

func (f *treatmentFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	readTargets(cmd, &f.readTargets)
	flags.DurationVar(&f.writerAffinity, "writer-affinity-timeout", time.Second, "how long a client that wrote reads from targets that write, with --read-target; 0 is off")
	flags.BoolVar(&f.readWebSockets, "read-target-websockets", false, "let read targets take WebSockets")
	flags.BoolVar(&f.forwardHeaders, "forward-headers", false, "pass X-Forwarded-* of every client on, or =false of none (default those of trusted proxies)")
	f.forwardHeadersGiven = func() bool { return flags.Changed("forward-headers") }
	flags.StringVar(&f.clientIPHeader, "client-ip-header", "", "request header in which a proxy in front says the client's address")
	flags.BoolVar(&f.scopeCookiePaths, "scope-cookie-paths", false, "put the stripped path prefix before the paths of the cookies that targets set")
	flags.StringSliceVar(&f.logRequestHeaders, "log-request-header", nil, "request header to show in the access log; again for several")
	flags.StringSliceVar(&f.logResponseHeaders, "log-response-header", nil, "response header to show in the access log; again for several")
	flags.StringSliceVar(&f.excludeMetricsPaths, "exclude-metrics-path", nil, "path, as targets see it, whose requests are not counted; again for several")
	flags.BoolVar(&f.publishHealthCheck, "publish-health-check", false, "answer /.kamal-proxy/SERVICE/health on every host while a target takes requests")
	flags.BoolVar(&f.forceTargets, "force", false, "replace the targets at once, before they are healthy")
}

func readTargets(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringSliceVar(to, "read-target", nil, "target that takes only GET and HEAD, as HOST:PORT; again, or with commas, for several")
}

func (f *treatmentFlags) set(req *api.DeployRequest) {
	spec := &req.Spec
	req.Readers, req.Force = addressed(f.readTargets), f.forceTargets
	if len(req.Readers) > 0 {
		spec.WriterAffinityTimeout = api.Duration(f.writerAffinity)
		if f.writerAffinity == 0 {
			spec.WriterAffinityTimeout = -1 // off; in the api zero is the default
		}
	}
	spec.ReadTargetWebSockets, spec.ScopeCookiePaths = f.readWebSockets, f.scopeCookiePaths
	if f.forwardHeadersGiven() {
		spec.ForwardHeaders = &f.forwardHeaders
	}
	spec.ClientIPHeader, spec.PublishHealthCheck = f.clientIPHeader, f.publishHealthCheck
	spec.LogRequestHeaders, spec.LogResponseHeaders = f.logRequestHeaders, f.logResponseHeaders
	spec.ExcludeMetricsPaths = f.excludeMetricsPaths
}

// addressed are targets without weights; nil for none.
func addressed(addresses []string) []api.Target {
	var targets []api.Target
	for _, address := range addresses {
		targets = append(targets, api.Target{Address: address})
	}
	return targets
}
