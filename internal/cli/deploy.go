package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// deployFlags are the flags of deploy as they are typed. Names, defaults and
// units are kamal-proxy's where it has the flag.
type deployFlags struct {
	targets, weights    []string
	hosts, pathPrefixes []string
	stripPathPrefix     bool
	healthPaths         []string
	healthInterval      time.Duration
	healthTimeout       time.Duration
	healthPort          int
	healthHost          string
	healthHeaders       []string
	healthStatus        string
	healthBody          string
	healthyThreshold    int
	maxAttempts         int
	deployTimeout       time.Duration
	drainTimeout        time.Duration
	targetTimeout       time.Duration
	slowStart           time.Duration
	maxRequestBody      int64
	buffering           bufferingFlags
	tls                 tlsFlags
	acme                acmeFlags
	treatment           treatmentFlags
	maxInFlight         int
	policy              string
	failOpen, supersede bool
	errorPages          string
	healthGRPC          *string
	targetTLS           targetTLSFlags
	progress            bool
}

func (s *session) deployCommand() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy SERVICE --target HOST:PORT",
		Short: "Replace the targets of a service without losing a request",
		Long: `Replace the whole set of targets of a service, and its settings.

The new targets are probed until all of them are healthy; then all traffic goes
to them, and the old ones are drained. When the command returns with exit status
0, the old targets are empty and safe to stop. With any other status nothing was
changed, and standard error says what the last probe of each target saw; only a
deploy that is interrupted while it drains is live all the same, and says so.`,
		Example: fmt.Sprintf(`  %[1]s deploy web --target web-v2:3000 --host app.example.com
  %[1]s deploy web --target web-1:3000 --target web-2:3000 --weight web-2:3000=3
  %[1]s deploy api --target api-7:8080 --path-prefix /api --health-check-path /healthz`, s.Name),
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := f.request()
			if err != nil {
				return err
			}
			return s.change(cmd, args[0], f.progress, deployed, func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Deploy(ctx, args[0], req, progress)
			})
		},
	}
	f.register(cmd, false)
	return cmd
}

// register adds the flags; kamal says that they are to be of the kinds that
// kamal-proxy has, which takes empty texts and one path.
func (f *deployFlags) register(cmd *cobra.Command, kamal bool) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&f.targets, "target", nil, "target as HOST:PORT, perhaps behind https://, h2c:// or h2://, or unix:/PATH; again, or with commas, for several (required)")
	flags.StringSliceVar(&f.weights, "weight", nil, "share of one target as HOST:PORT=N (default 1 each)")
	flags.StringSliceVar(&f.hosts, "host", nil, "host to serve, exact or *.example.com (default every host)")
	flags.StringSliceVar(&f.pathPrefixes, "path-prefix", nil, "path prefix to serve (default /)")
	flags.BoolVar(&f.stripPathPrefix, "strip-path-prefix", true, "take the path prefix off before forwarding")
	f.tls.register(cmd, kamal)
	f.healthPath(cmd, kamal)
	flags.Var(optionalText{&f.healthGRPC}, "health-check-grpc", "service to ask the gRPC health protocol about instead of a path; '' is the whole target")
	flags.DurationVar(&f.healthInterval, "health-check-interval", time.Second, "time between two probes of a healthy target")
	flags.DurationVar(&f.healthTimeout, "health-check-timeout", 5*time.Second, "how long one probe may take")
	flags.IntVar(&f.healthPort, "health-check-port", 0, "port to probe (default the target's)")
	flags.StringVar(&f.healthHost, "health-check-host", "", "Host header of a probe (default the target's address)")
	flags.StringArrayVar(&f.healthHeaders, "health-check-header", nil, "header of a probe as 'Name: value'; again for several")
	flags.StringVar(&f.healthStatus, "health-check-status", "200-299", "status that is good, one or a range")
	flags.StringVar(&f.healthBody, "health-check-body", "", "text that a good answer contains")
	flags.IntVar(&f.healthyThreshold, "healthy-threshold", 1, "good probes in a row that make a target healthy")
	flags.IntVar(&f.maxAttempts, "max-attempts", 3, "failed probes in a row that make a healthy target unhealthy")
	deployTimeout(cmd, &f.deployTimeout)
	drainTimeout(cmd, &f.drainTimeout)
	flags.DurationVar(&f.targetTimeout, "target-timeout", defaultTimeout, "how long a target may take to begin its answer; 0 is for ever")
	flags.Int64Var(&f.maxRequestBody, "max-request-body", 0, "bytes that a request body may have; 0 is no limit")
	f.targetTLS.register(cmd)
	f.buffering.register(cmd)
	f.acme.register(cmd)
	f.treatment.register(cmd)
	flags.IntVar(&f.maxInFlight, "max-in-flight", 0, "requests that one target may have at once; 0 is no limit")
	flags.StringVar(&f.policy, "policy", string(api.PolicyRoundRobin), "how a target is chosen: round_robin, least_connections or two_choices")
	flags.DurationVar(&f.slowStart, "slow-start", 0, "time over which a new target's share grows; 0 is off")
	flags.BoolVar(&f.failOpen, "fail-open", false, "send requests to unhealthy targets when no healthy one is left")
	flags.StringVar(&f.errorPages, "error-pages", "", "folder, as proxyd sees it, with error pages such as 503.html (default built-in ones)")
	flags.BoolVar(&f.supersede, "supersede", false, "cancel a deploy of the service that still waits, instead of queueing")
	progressFlag(cmd, &f.progress)
	if !kamal {
		refuseEmpty(cmd, "target", "read-target", "weight", "host", "path-prefix", "health-check-path")
	}
	policies := []string{string(api.PolicyRoundRobin), string(api.PolicyLeastConnections), string(api.PolicyTwoChoices)}
	_ = cmd.RegisterFlagCompletionFunc("policy", cobra.FixedCompletions(policies, cobra.ShellCompDirectiveNoFileComp))
	noFiles(cmd, "health-check-grpc", "target", "read-target", "weight", "host", "path-prefix", "health-check-path", "health-check-header")
}

func (f *deployFlags) healthPath(cmd *cobra.Command, kamal bool) {
	if kamal {
		f.healthPaths = []string{api.DefaultHealthPath}
		cmd.Flags().StringVar(&f.healthPaths[0], "health-check-path", api.DefaultHealthPath, "path to probe")
		return
	}
	cmd.Flags().StringSliceVar(&f.healthPaths, "health-check-path", []string{api.DefaultHealthPath}, "path to probe; again for several that must all be good")
}

// request is what the flags ask for. What each value may be is judged in one
// place, api's Validate.
func (f *deployFlags) request() (api.DeployRequest, error) {
	req := api.DeployRequest{
		Spec: api.Spec{
			Hosts: f.hosts, PathPrefixes: f.pathPrefixes, KeepPathPrefix: !f.stripPathPrefix,
			HealthCheck: api.HealthCheck{
				Paths: f.healthPaths, GRPC: f.healthGRPC, Port: f.healthPort, Host: f.healthHost,
				Interval: api.Duration(f.healthInterval), Timeout: api.Duration(f.healthTimeout),
				HealthyThreshold: f.healthyThreshold, MaxAttempts: f.maxAttempts,
				Status: f.healthStatus, Body: f.healthBody,
			},
			Policy: api.Policy(f.policy), SlowStart: api.Duration(f.slowStart), FailOpen: f.failOpen,
			TargetTimeout: api.Duration(f.targetTimeout), MaxRequestBody: f.maxRequestBody, MaxInFlight: f.maxInFlight,
			ErrorPages: f.errorPages,
		},
		DeployTimeout: wait(f.deployTimeout), DrainTimeout: wait(f.drainTimeout), Supersede: f.supersede,
	}
	if f.targetTimeout == 0 {
		req.Spec.TargetTimeout = -1 // off; in the api zero is the default
	}
	f.buffering.set(&req.Spec)
	err := f.tls.set(&req.Spec)
	if err == nil {
		err = f.acme.set(&req.Spec)
	}
	if err != nil {
		return req, err
	}
	f.targetTLS.set(&req.Spec)
	f.treatment.set(&req)
	if req.Spec.HealthCheck.Headers, err = parseHeaders(f.healthHeaders); err != nil {
		return req, err
	}
	req.Targets, err = parseTargets(f.targets, f.weights)
	return req, err
}

func parseTargets(addresses, weights []string) ([]api.Target, error) {
	targets := make([]api.Target, 0, len(addresses))
	for _, address := range addresses {
		targets = append(targets, api.Target{Address: address})
	}
	if len(targets) == 0 {
		return nil, noTarget()
	}
	for _, text := range weights {
		address, number, found := cutLast(text, "=")
		weight, err := strconv.Atoi(number)
		if !found || err != nil || weight < 1 {
			return nil, wrong("--weight", "--weight %q is not HOST:PORT=N, such as web-1:3000=2", text)
		}
		if !setWeight(targets, address, weight) {
			return nil, wrong("--weight", "--weight %q names a target that --target does not", text)
		}
	}
	return targets, nil
}

func noTarget() error {
	return wrong("--target", "no target given: name at least one, such as --target web-1:3000")
}

func setWeight(targets []api.Target, address string, weight int) (found bool) {
	for i := range targets {
		if targets[i].Address == address {
			targets[i].Weight, found = weight, true
		}
	}
	return found
}

func parseHeaders(texts []string) (map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	headers := map[string]string{}
	for _, text := range texts {
		name, value, found := strings.Cut(text, ":")
		if name = strings.TrimSpace(name); !found || name == "" {
			return nil, wrong("--health-check-header", "--health-check-header %q is not 'Name: value'", text)
		}
		if _, twice := headers[name]; twice {
			return nil, wrong("--health-check-header", "--health-check-header %q is given twice", name)
		}
		headers[name] = strings.TrimSpace(value)
	}
	return headers, nil
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// wrong is an error about a flag that needs no daemon to find.
func wrong(flag, format string, args ...any) error {
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf(format, args...), Flag: flag}
}
