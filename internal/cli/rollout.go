package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

func (s *session) rolloutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Try other targets with a part of the requests",
		Long: `Try other targets of a service with a part of its requests: deploy them to the
rollout slot, set which requests they take, and stop. The active targets take all
others, and stand in when no rollout target is healthy. A deploy of the service
itself leaves the rollout alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(s.rolloutDeployCommand(), s.rolloutSetCommand(), s.rolloutStopCommand())
	return cmd
}

func (s *session) rolloutDeployCommand() *cobra.Command {
	var targets, readers []string
	var deploy, drain time.Duration
	var supersede, progress bool
	cmd := &cobra.Command{
		Use:   "deploy SERVICE --target HOST:PORT",
		Short: "Replace the targets in the rollout slot",
		Long: `Replace the targets in the rollout slot of a service once the new ones are all
healthy. They take the requests that rollout set says; at first none.`,
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(targets) == 0 {
				return noTarget()
			}
			req := api.RolloutDeployRequest{
				Targets: addressed(targets), Readers: addressed(readers),
				DeployTimeout: wait(deploy), DrainTimeout: wait(drain), Supersede: supersede,
			}
			return s.change(cmd, args[0], progress, deployed, func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().RolloutDeploy(ctx, args[0], req, progress)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&targets, "target", nil, "target as HOST:PORT; again, or with commas, for several (required)")
	readTargets(cmd, &readers)
	deployTimeout(cmd, &deploy)
	drainTimeout(cmd, &drain)
	flags.BoolVar(&supersede, "supersede", false, "cancel a rollout deploy of the service that still waits, instead of queueing")
	progressFlag(cmd, &progress)
	if s.kamal() {
		_ = cmd.MarkFlagRequired("target")
	} else {
		refuseEmpty(cmd, "target", "read-target")
	}
	noFiles(cmd, "target", "read-target")
	return cmd
}

func (s *session) rolloutSetCommand() *cobra.Command {
	var takes api.Split
	var headers []string
	cmd := &cobra.Command{
		Use:   "set SERVICE",
		Short: "Say which requests the rollout targets take",
		Long: `Say which requests the rollout targets take, in place of what was set before:
those with one of the headers; those of visitors in the list; and a percentage of
the visitors. A visitor is a value of the cookie kamal-rollout, which the app sets.
With --random everybody else is one as well: proxyd has them keep a cookie of its
own, upfront-rollout. A visitor stays on its side while the percentage only grows.`,
		Example: fmt.Sprintf(`  %[1]s rollout set web --percent 5 --random
  %[1]s rollout set web --list staff-1,staff-2
  %[1]s rollout set web --header 'X-Beta: yes'`, s.Name),
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if takes.Headers, err = parseMatches(headers); err != nil {
				return err
			}
			if err := takes.Validate(); err != nil {
				return err
			}
			return s.change(cmd, args[0], false, ended("set"), func(ctx context.Context, _ api.ProgressFunc) (*api.Result, error) {
				return s.client().RolloutSet(ctx, args[0], api.RolloutSetRequest{Split: takes})
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&takes.Percent, "percent", 0, "percentage of the visitors, 0 to 100")
	flags.StringSliceVar(&takes.List, "list", nil, "visitors, whatever the percentage is; again, or with commas, for several")
	flags.StringArrayVar(&headers, "header", nil, "header of a request, as 'Name: value', or 'Name' for any value; again for several")
	flags.BoolVar(&takes.Random, "random", false, "draw a visitor for requests without the cookie kamal-rollout")
	if s.kamal() {
		cmd.MarkFlagsOneRequired("percent", "list")
	} else {
		cmd.MarkFlagsOneRequired("percent", "list", "header")
	}
	noFiles(cmd, "percent", "list", "header")
	return cmd
}

func (s *session) rolloutStopCommand() *cobra.Command {
	var drain time.Duration
	var progress bool
	cmd := &cobra.Command{
		Use:   "stop SERVICE",
		Short: "Send every request to the active targets, and forget the others",
		Long: `Send every request to the active targets again, then drain and forget those of
the rollout. What rollout set said is forgotten too.`,
		Args:              s.serviceArg(),
		ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.RolloutStopRequest{DrainTimeout: wait(drain)}
			return s.change(cmd, args[0], progress, ended("rollout stopped"), func(ctx context.Context, progress api.ProgressFunc) (*api.Result, error) {
				return s.client().RolloutStop(ctx, args[0], req, progress)
			})
		},
	}
	drainTimeout(cmd, &drain)
	progressFlag(cmd, &progress)
	return cmd
}

// parseMatches reads headers that are written as 'Name: value' or 'Name'.
func parseMatches(texts []string) ([]api.HeaderMatch, error) {
	var matches []api.HeaderMatch
	for _, text := range texts {
		name, value, colon := strings.Cut(text, ":")
		m := api.HeaderMatch{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
		if m.Name == "" || colon && m.Value == "" {
			return nil, wrong("--header", "--header %q is neither 'Name: value' nor 'Name'", text)
		}
		matches = append(matches, m)
	}
	return matches, nil
}

// splitText says in a few words which requests a rollout takes.
func splitText(split api.Split) string {
	var parts []string
	for _, h := range split.Headers {
		parts = append(parts, strings.TrimSuffix("header "+h.Name+": "+h.Value, ": "))
	}
	if len(split.List) > 0 {
		parts = append(parts, "visitors "+strings.Join(split.List, ","))
	}
	if split.Percent > 0 {
		part := fmt.Sprintf("%d%% of visitors", split.Percent)
		if split.Random {
			part += ", drawn at random"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "nobody"
	}
	return strings.Join(parts, "; ")
}
