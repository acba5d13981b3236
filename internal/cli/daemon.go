package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"upfront/api"
)

func (s *session) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Apply the config file again",
		Long:  "Apply the config file again. A bad file changes nothing, and what is wrong with it is said.",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.client().Reload(cmd.Context()); err != nil {
				return err
			}
			return s.done("config file applied")
		},
	}
}

func (s *session) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a config file; changes nothing",
		Long: `Say what is wrong with a config file, with line and column. It needs no running
proxyd when the program proxyd is beside this one or on the PATH.`,
		Args: exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if program, ok := s.Daemon(); ok {
				return s.checkWith(cmd.Context(), program, args[0])
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("read config file: %v", err)}
			}
			path, err := filepath.Abs(args[0])
			if err != nil {
				path = args[0]
			}
			if err := s.client().Check(cmd.Context(), path, text); err != nil {
				return err
			}
			return s.done("config file is good")
		},
	}
}

// checkWith lets proxyd judge, and passes on what it says and its exit status.
func (s *session) checkWith(ctx context.Context, program, file string) error {
	check := exec.CommandContext(ctx, program, "check", file)
	check.Stdout, check.Stderr = s.Stdout, s.Stderr
	err := check.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return exitError(max(failed.ExitCode(), 1))
	}
	if err != nil {
		return &api.Error{Code: api.CodeInternal, Message: fmt.Sprintf("run %s: %v", program, err)}
	}
	return nil
}

// findDaemon finds the program proxyd beside this one, or on the PATH.
func findDaemon() (string, bool) {
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), "proxyd")); err == nil {
			return path, true
		}
	}
	path, err := exec.LookPath("proxyd")
	return path, err == nil
}

// versions is what version tells to programs.
type versions struct {
	Client string `json:"client"`
	Daemon string `json:"daemon,omitempty"`
	// Problem is why the daemon's version is not known.
	Problem string `json:"problem,omitempty"`
}

func (s *session) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this program and of proxyd",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Client: s.Version}
			answer, err := s.client().Version(cmd.Context())
			v.Daemon = answer.Version
			if err != nil {
				v.Problem = sentence(cmd, err)
			}
			if s.json {
				return s.print(v)
			}
			var t table
			t.row(cell{text: s.Name}, cell{text: v.Client})
			t.row(cell{text: "proxyd"}, cell{text: orElse(v.Daemon, v.Problem)})
			t.write(s.out, "")
			return nil
		},
	}
}

// done says that a call without a result worked, to whoever wants to know.
func (s *session) done(what string) error {
	if s.json {
		return s.print(api.Done{})
	}
	if s.out.terminal {
		fmt.Fprintln(s.Stdout, what)
	}
	return nil
}
