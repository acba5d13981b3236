package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// change makes one call that changes a service: it shows what is waited for, and
// says how it ended to whoever wants to know.
func (s *session) change(
	cmd *cobra.Command, service string, verbose bool, say func(*api.Result) string,
	call func(context.Context, api.ProgressFunc) (*api.Result, error),
) error {
	line := newLiveLine(s.err, service, verbose)
	if s.kamal() {
		line.to.terminal = false // it says nothing
	}
	result, err := call(cmd.Context(), line.show)
	line.clear()
	if err != nil {
		return explainCancel(err, line.phase)
	}
	for _, warning := range result.Warnings {
		fmt.Fprintf(s.Stderr, "%s %s\n", s.err.paint(yellow, "Warning:"), warning)
	}
	if s.kamal() {
		return nil
	}
	s.warnLeft(result)
	if s.json {
		return s.print(result)
	}
	if s.out.terminal {
		fmt.Fprintf(s.Stdout, "%s: %s\n", service, say(result))
	}
	return nil
}

// warnLeft says what a pause could not wait for: a migration that starts now
// would meet it.
func (s *session) warnLeft(result *api.Result) {
	for _, d := range result.Drained {
		if d.Left > 0 {
			fmt.Fprintf(s.Stderr, "%s %s still in flight on %s at the drain timeout: wait, or set a longer --drain-timeout\n",
				s.err.paint(yellow, "Warning:"), count(d.Left, "request"), d.Target)
		}
	}
}

// explainCancel says after a Ctrl-C whether anything was changed, which the phase
// that was seen last tells.
func explainCancel(err error, phase string) error {
	var known *api.Error
	if !errors.As(err, &known) || known.Code != api.CodeCanceled {
		return err
	}
	message := "canceled: proxyctl list shows what is live now"
	switch phase {
	case "queued", "probing":
		message = "canceled before the switch: nothing was changed"
	case "switching":
		message = "canceled during the switch: proxyctl list shows what is live now"
	case "draining":
		message = "canceled while draining: the change is live, but requests may still be in flight; wait before stopping anything"
	}
	return &api.Error{Code: api.CodeCanceled, Message: message}
}

func (s *session) addCommand() *cobra.Command {
	var timeout time.Duration
	var weight int
	var progress bool
	cmd := &cobra.Command{
		Use:               "add SERVICE TARGET",
		Short:             "Join one more target to a service once it is healthy",
		Long:              "Join one more target to a service once it is healthy. A target that was drained is put back.",
		Args:              exactly(2, "a service and a target"),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.AddRequest{Target: api.Target{Address: args[1], Weight: weight}, DeployTimeout: wait(timeout)}
			return s.change(cmd, args[0], progress, deployed, func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Add(ctx, args[0], req, progress)
			})
		},
	}
	cmd.Flags().IntVar(&weight, "weight", 1, "share of the target")
	deployTimeout(cmd, &timeout)
	progressFlag(cmd, &progress)
	return cmd
}

func (s *session) removeCommand() *cobra.Command {
	var timeout time.Duration
	var progress bool
	cmd := &cobra.Command{
		Use:               "remove SERVICE [TARGET]",
		Aliases:           []string{"rm"},
		Short:             "Drain and forget one target, or the whole service",
		Args:              s.serviceAndTarget(),
		ValidArgsFunction: s.completeServiceAndTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.RemoveRequest{Target: optional(args, 1), DrainTimeout: wait(timeout)}
			return s.change(cmd, args[0], progress, ended("removed"), func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Remove(ctx, args[0], req, progress)
			})
		},
	}
	drainTimeout(cmd, &timeout)
	progressFlag(cmd, &progress)
	return cmd
}

func (s *session) drainCommand() *cobra.Command {
	var timeout time.Duration
	var progress bool
	cmd := &cobra.Command{
		Use:   "drain SERVICE [TARGET]",
		Short: "Empty one target, or all of a service, and keep them in the set",
		Long: `Ask a target, or all of a service, to take no new requests, and wait until it
is empty. It stays in the set as draining; add puts it back.`,
		Args:              oneOrTwo(),
		ValidArgsFunction: s.completeServiceAndTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.DrainRequest{Target: optional(args, 1), DrainTimeout: wait(timeout)}
			return s.change(cmd, args[0], progress, ended("nothing to drain"), func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Drain(ctx, args[0], req, progress)
			})
		},
	}
	drainTimeout(cmd, &timeout)
	progressFlag(cmd, &progress)
	return cmd
}

func (s *session) pauseCommand() *cobra.Command {
	var timeout, maxPause time.Duration
	var progress bool
	cmd := &cobra.Command{
		Use:   "pause SERVICE",
		Short: "Hold new requests of a service until resume",
		Long: `Hold new requests of a service until resume, for example while migrations run,
and wait until those in flight are answered.`,
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.PauseRequest{DrainTimeout: wait(timeout), MaxPause: wait(maxPause)}
			return s.change(cmd, args[0], progress, ended("paused"), func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Pause(ctx, args[0], req, progress)
			})
		},
	}
	drainTimeout(cmd, &timeout)
	cmd.Flags().DurationVar(&maxPause, "max-pause", defaultTimeout, "how long one request may be held before it is answered 504")
	progressFlag(cmd, &progress)
	return cmd
}

func (s *session) stopCommand() *cobra.Command {
	var timeout time.Duration
	var message string
	var progress bool
	cmd := &cobra.Command{
		Use:   "stop SERVICE",
		Short: "Answer every request of a service with the maintenance page",
		Long: `Answer every request of a service with the maintenance page until resume, and
wait until those in flight are answered.`,
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.StopRequest{DrainTimeout: wait(timeout), Message: message}
			if err := req.Validate(); err != nil { // JSON would hide what is not UTF-8
				return err
			}
			return s.change(cmd, args[0], progress, ended("stopped"), func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Stop(ctx, args[0], req, progress)
			})
		},
	}
	drainTimeout(cmd, &timeout)
	cmd.Flags().StringVar(&message, "message", "", "text on the maintenance page; may have several lines")
	progressFlag(cmd, &progress)
	return cmd
}

func (s *session) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "resume SERVICE",
		Short:             "End a pause or a stop",
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.change(cmd, args[0], false, ended("resumed"), func(ctx context.Context, _ api.ProgressFunc) (*api.Result, error) {
				return s.client().Resume(ctx, args[0])
			})
		},
	}
}

func (s *session) rollbackCommand() *cobra.Command {
	var deploy, drain time.Duration
	var progress bool
	cmd := &cobra.Command{
		Use:   "rollback SERVICE",
		Short: "Deploy the previous set of targets again",
		Long: `Deploy the set of targets again that the last deploy replaced, if they still
answer their probes. Like deploy, it changes nothing when they do not.`,
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.RollbackRequest{DeployTimeout: wait(deploy), DrainTimeout: wait(drain)}
			return s.change(cmd, args[0], progress, deployed, func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().Rollback(ctx, args[0], req, progress)
			})
		},
	}
	deployTimeout(cmd, &deploy)
	drainTimeout(cmd, &drain)
	progressFlag(cmd, &progress)
	return cmd
}
