package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// serviceArg is for the commands that take one service.
func (s *session) serviceArg() cobra.PositionalArgs {
	if s.kamal() {
		return cobra.ExactArgs(1)
	}
	return exactly(1, "one service")
}

// serviceAndTarget is for remove, which takes a target as well unless it is
// kamal-proxy's.
func (s *session) serviceAndTarget() cobra.PositionalArgs {
	if s.kamal() {
		return cobra.ExactArgs(1)
	}
	return oneOrTwo()
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s takes %s, got %d arguments: %s", cmd.Name(), what, len(args), cmd.UseLine())
		}
		return nil
	}
}

func oneOrTwo() cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 && len(args) != 2 {
			return fmt.Errorf("%s takes a service and perhaps a target, got %d arguments: %s", cmd.Name(), len(args), cmd.UseLine())
		}
		// A script whose variable is not set must not hit the whole service.
		if len(args) == 2 && args[1] == "" {
			return wrong("", "target is empty: name one, such as web-1:3000, or leave it away for the whole service")
		}
		return nil
	}
}

// optional is the argument at i, "" when it was not given.
func optional(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// filled is a flag that refuses the empty text of a variable that is not set,
// which a list would take for no element at all.
type filled struct{ flagValue }

// flagValue is pflag's Value.
type flagValue interface {
	String() string
	Set(text string) error
	Type() string
}

// Set takes one text of the command line.
func (f filled) Set(text string) error {
	if text == "" {
		return errors.New("it is empty: give a value, or leave the flag away")
	}
	return f.flagValue.Set(text)
}

func refuseEmpty(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		flag := cmd.Flags().Lookup(name)
		flag.Value = filled{flag.Value}
		if flag.DefValue == "[]" {
			flag.DefValue = "" // help knows only the lists of pflag
		}
	}
}

// completeTimeout is how long a shell waits for names.
const completeTimeout = time.Second

// completeService offers the names of the services that proxyd has.
func (s *session) completeService(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	services, err := s.client().Services(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, 0, len(services))
	for _, service := range services {
		names = append(names, service.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeServiceAndTarget offers services, then the targets of the one chosen.
func (s *session) completeServiceAndTarget(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return s.completeService(cmd, args, typed)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	service, err := s.client().Service(ctx, args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	addresses := make([]string, 0, len(service.Targets))
	for _, target := range service.Targets {
		addresses = append(addresses, target.Address)
	}
	return addresses, cobra.ShellCompDirectiveNoFileComp
}

// noFiles keeps the shell from offering files for flags that take none.
func noFiles(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// flagError says in words what strconv says of a value that is no number.
func flagError(err error) error {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return err
	}
	reason := "it takes a whole number"
	switch {
	case errors.Is(number, strconv.ErrRange):
		reason = "it is out of range"
	case number.Func == "ParseBool":
		reason = "it takes true or false"
	}
	return errors.New(strings.Replace(err.Error(), number.Error(), reason, 1))
}
