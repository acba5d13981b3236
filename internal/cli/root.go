package cli

import (
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// root is the command tree.
func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   s.Name,
		Short: "Control proxyd: deploy, drain, pause and look at services",
		Long: `Control proxyd, the health-aware edge proxy, over its control socket.

Exit status 0 means that what was asked for is done. Otherwise standard error
says why not, in one sentence, and what to change.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	flags := root.PersistentFlags()
	flags.StringVar(&s.socket, "socket", "", "control socket of proxyd (env "+api.SocketVariable+"; default "+api.SystemSocket()+", or that of your user)")
	flags.BoolVar(&s.json, "json", false, "write the answer as JSON")
	root.AddCommand(
		s.deployCommand(), s.addCommand(), s.removeCommand(), s.drainCommand(),
		s.pauseCommand(), s.stopCommand(), s.resumeCommand(), s.rollbackCommand(), s.rolloutCommand(),
		s.listCommand(), s.statusCommand(),
		s.reloadCommand(), s.checkCommand(), s.versionCommand(),
	)
	return root
}

const defaultTimeout = 30 * time.Second

// deployTimeout, drainTimeout and progress are flags that several commands share.
func deployTimeout(cmd *cobra.Command, d *time.Duration) {
	cmd.Flags().DurationVar(d, "deploy-timeout", defaultTimeout, "how long targets may take to become healthy")
}

func drainTimeout(cmd *cobra.Command, d *time.Duration) {
	cmd.Flags().DurationVar(d, "drain-timeout", defaultTimeout, "how long targets may take to finish what they have in flight")
}

func progressFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "progress", false, "write what is waited for to standard error even when it is no terminal")
}

// wait is a duration of the command line as the api has it. There zero means the
// default; who types 0 means "do not wait".
func wait(d time.Duration) api.Duration {
	if d == 0 {
		return api.Duration(1)
	}
	return api.Duration(d)
}
