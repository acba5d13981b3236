package cli

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// Kamal makes the command tree kamal-proxy's: its commands, its words for what went
// wrong, and no output where it has none.
type Kamal struct {
	// Run is the command run. It returns when ctx ends or a signal asks for the end.
	Run func(ctx context.Context, o KamalRun) error
}

// KamalRun is what the command run was told.
type KamalRun struct {
	Debug, HTTP3        bool
	HTTPPort, HTTPSPort int
	MetricsPort         int // 0 is off
}

func (s *session) kamal() bool { return s.Kamal != nil }

// kamalRoot is kamal-proxy's command tree, with those commands of ours behind it that
// it has nothing like.
func (s *session) kamalRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           s.Name,
		Short:         "HTTP proxy for deployments that lose no request",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVar(&s.socket, "socket", "", "control socket (env "+api.KamalSocketVariable+")")
	root.AddCommand(
		s.runCommand(), s.kamalDeployCommand(), s.removeCommand(), s.pauseCommand(), s.stopCommand(), s.resumeCommand(),
		s.kamalListCommand(), s.rolloutCommand(),
		s.addCommand(), s.drainCommand(), s.rollbackCommand(), s.statusCommand(), s.versionCommand(),
	)
	return root
}

func (s *session) runCommand() *cobra.Command {
	var o KamalRun
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the proxy",
		RunE:  func(cmd *cobra.Command, _ []string) error { return s.Kamal.Run(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Debug, "debug", s.kamalBool("DEBUG"), "log what helps to find faults")
	flags.IntVar(&o.HTTPPort, "http-port", s.kamalInt("HTTP_PORT", 80), "port for HTTP")
	flags.IntVar(&o.HTTPSPort, "https-port", s.kamalInt("HTTPS_PORT", 443), "port for HTTPS")
	flags.IntVar(&o.MetricsPort, "metrics-port", s.kamalInt("METRICS_PORT", 0), "port for metrics; 0 is off")
	flags.BoolVar(&o.HTTP3, "http3", false, "serve HTTP/3 as well")
	return cmd
}

// kamalEnv reads a variable as kamal-proxy does: with its prefix, else without.
func (s *session) kamalEnv(name string) string {
	if value := s.Env("KAMAL_PROXY_" + name); value != "" {
		return value
	}
	return s.Env(name)
}

func (s *session) kamalInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(s.kamalEnv(name)); err == nil {
		return n
	}
	return otherwise
}

func (s *session) kamalBool(name string) bool {
	on, _ := strconv.ParseBool(s.kamalEnv(name))
	return on
}

// kamalDeployCommand is deploy with what kamal-proxy adds to it and asks of it.
func (s *session) kamalDeployCommand() *cobra.Command {
	f := deployFlags{acme: acmeFlags{cache: filepath.Join(api.KamalFolder(s.Env), "certs")}}
	cmd := &cobra.Command{
		Use:   "deploy <service>",
		Short: "Replace the targets of a service without losing a request",
		Args:  s.serviceArg(),
	}
	f.register(cmd, s.kamal())
	_ = cmd.MarkFlagRequired("target")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		changed := cmd.Flags().Changed
		if changed("max-request-body") && !changed("buffer-requests") {
			return wrong("", "max-request-body can only be set when request buffering is enabled")
		}
		if changed("max-response-body") && !changed("buffer-responses") {
			return wrong("", "max-response-body can only be set when response buffering is enabled")
		}
		if err := f.kamalTLS(); err != nil {
			return err
		}
		req, err := f.request()
		if err != nil {
			return err
		}
		if req.Spec.ForwardHeaders == nil {
			req.Spec.ForwardHeaders = new(!f.tls.on)
		}
		if err := kamalTargets(f.targets, f.treatment.readTargets); err != nil {
			return err
		}
		return s.change(cmd, args[0], f.progress, deployed, func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
			return s.client().Deploy(ctx, args[0], req, progress)
		})
	}
	return cmd
}

// kamalTargets refuses what is no target in kamal-proxy's words.
func kamalTargets(lists ...[]string) error {
	for _, list := range lists {
		for _, target := range list {
			if _, err := api.ParseAddress(target); err != nil {
				return wrong("", "%s :invalid host pattern: %v", target, err)
			}
		}
	}
	return nil
}

// kamalSentence is the sentence of an error as kamal-proxy begins it; what we know
// besides comes behind.
func (s *session) kamalSentence(command *cobra.Command, known *api.Error) string {
	begin := ""
	switch {
	case known.Code == api.CodeUnhealthy:
		begin = "target failed to become healthy within configured timeout"
		if flag := command.Flag("deploy-timeout"); flag != nil {
			begin += " (" + flag.Value.String() + ")"
		}
	case known.Code == api.CodeConflict:
		begin = "host settings conflict with another service"
	case known.Code == api.CodeNotFound && known.Flag == "":
		begin = "service not found"
	case known.Code == api.CodeNoRollout:
		begin = "rollout target not set"
	case known.Code == api.CodeInvalid && known.Flag == "--error-pages":
		begin = "unable to load error pages"
	case known.Code == api.CodeInvalid && (known.Flag == "--tls-certificate-path" || known.Flag == "--tls-private-key-path"):
		begin = "unable to load certificate"
	case known.Code == api.CodeUnreachable:
		if cause := s.dialAgain(); cause != "" {
			return cause
		}
	}
	if begin == "" {
		return known.Message
	}
	return begin + ": " + known.Message
}

// dialAgain is what the system says of a socket where nobody answered.
func (s *session) dialAgain() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.client().Socket)
	if err != nil {
		return err.Error()
	}
	_ = conn.Close() // somebody has come meanwhile
	return ""
}

// kamalFail says what went wrong on standard error.
func (s *session) kamalFail(command *cobra.Command, err error, known *api.Error) {
	if known == nil {
		fmt.Fprintf(s.Stderr, "Error: %s\n", err)
		if strings.HasPrefix(err.Error(), "unknown command") {
			fmt.Fprintf(s.Stderr, "Run '%s --help' for usage.\n", command.CommandPath())
		}
		return
	}
	fmt.Fprintf(s.Stderr, "Error: %s\n", s.kamalSentence(command, known))
}
