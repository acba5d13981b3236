package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upfront/api"
)

// Options are what a command tree has around it. Zero fields mean those of the
// process.
type Options struct {
	// Name of the program in help texts. Default "proxyctl".
	Name string
	// Version of the program.
	Version string
	Stdout  io.Writer // default os.Stdout
	Stderr  io.Writer // default os.Stderr
	// Env reads an environment variable. Default os.Getenv.
	Env func(string) string
	// Kamal makes the program kamal-proxy. Nil is proxyctl.
	Kamal *Kamal
	// Now is the clock that ages are reckoned with. Default time.Now.
	Now func() time.Time
	// Daemon is the program that checks config files without a running proxyd.
	// Default: proxyd, beside this program or on the PATH.
	Daemon func() (path string, ok bool)
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "proxyctl"
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Daemon == nil {
		o.Daemon = findDaemon
	}
	return o
}

// Run runs one command line, without the program's name, and returns its exit
// status. Ending ctx cancels what is waited for.
func Run(ctx context.Context, args []string, o Options) int {
	return newSession(o.withDefaults()).run(ctx, args)
}

func (s *session) run(ctx context.Context, args []string) int {
	root := s.root()
	if s.kamal() {
		root = s.kamalRoot()
	}
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	return s.fail(command, err)
}

// session is one run of the program: its options and its global flags.
type session struct {
	Options
	socket string // --socket
	json   bool   // --json
	out    screen
	err    screen
}

func newSession(o Options) *session {
	return &session{Options: o, out: newScreen(o.Stdout, o.Env), err: newScreen(o.Stderr, o.Env)}
}

// exitError ends the program with a status when everything was said already.
type exitError int

// Error is never shown.
func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// fail says what went wrong, in one sentence, and returns the exit status.
func (s *session) fail(command *cobra.Command, err error) int {
	if status, ok := errors.AsType[exitError](err); ok {
		return int(status)
	}
	var known *api.Error
	errors.As(err, &known)
	if s.kamal() {
		s.kamalFail(command, err, known)
		return 1
	}
	fmt.Fprintf(s.Stderr, "Error: %s\n", sentence(command, err))
	if known == nil {
		fmt.Fprintf(s.Stderr, "Run '%s --help' for usage.\n", command.CommandPath())
		known = &api.Error{Code: api.CodeInvalid, Message: err.Error()}
	}
	if s.json {
		_ = s.print(api.ErrorAnswer{Error: known})
	}
	return 1
}

// sentence is the message of err, with the flag to change if it does not name it
// and command has it.
func sentence(command *cobra.Command, err error) string {
	var known *api.Error
	if !errors.As(err, &known) {
		return err.Error()
	}
	flag := strings.TrimPrefix(known.Flag, "--")
	if flag == "" || strings.Contains(known.Message, known.Flag) || command.Flag(flag) == nil {
		return known.Message
	}
	return fmt.Sprintf("%s (see %s)", known.Message, known.Flag)
}

// client is for the socket that the flags name.
func (s *session) client() *api.Client {
	if s.kamal() && s.socket == "" {
		return &api.Client{Socket: api.KamalSocket(s.Env)}
	}
	return &api.Client{Socket: s.socket}
}

// print writes v as JSON for programs.
func (s *session) print(v any) error {
	encoder := json.NewEncoder(s.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
