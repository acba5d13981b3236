package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"upfront/api"
	"upfront/service"
)

// system is what the program is given from outside.
type system struct {
	args           []string
	getenv         func(string) string
	unsetenv       func(string) error
	stdout, stderr io.Writer
}

// options are what was said on the command line or, for what was not said
// there, in the environment. Zero fields were said in neither.
type options struct {
	config       string
	http, https  []string
	socket       string
	state        string
	accessLog    string
	logLevel     string
	drainTimeout time.Duration
	h2c          bool
	version      bool
	rest         []string // behind the flags

	// What only kamal-proxy's name says.
	kamal      bool                  // headers and log lines are kamal-proxy's
	metrics    string                // address for Prometheus; "" is none
	takeover   service.TakeoverState // nil is none
	kamalState string                // its path, which is written for the way back; "" is none
}

const usage = `proxyd moves requests to healthy targets. proxyctl tells it what to serve.

Usage:
  proxyd [flags]         run
  proxyd check [FILE]    say what is wrong with a config file
  proxyd version         print the version

Flags:
  --config FILE          config file (default /etc/upfront/proxy.yml, if it is there)
  --http ADDR            where clients arrive; several: repeat it, or separate them by commas (default :80)
  --https ADDR           where clients arrive over TLS; several as with --http (default none)
  --socket PATH          control socket of proxyctl (default /run/upfront/control.sock for root)
  --state FILE           what is deployed, kept across restarts (default /var/lib/upfront/state.json for root)
  --access-log WHERE     off, - for standard output, or a file (default -)
  --log-level LEVEL      debug, info, warn or error (default info)
  --drain-timeout TIME   how long requests may take to finish at the end (default 30s)
  --h2c                  clients may speak HTTP/2 without TLS, with prior knowledge
  --version              print the version

Each flag can also be given as an environment variable: --access-log is UPFRONT_ACCESS_LOG.
A flag wins over its variable, and that over the config file.
`

// parseFlags reads the command line and the environment. flag.ErrHelp means that
// help was asked for.
func parseFlags(s system) (options, error) {
	var o options
	set := flag.NewFlagSet("proxyd", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&o.config, "config", "", "")
	set.Func("http", "", listInto(&o.http))
	set.Func("https", "", listInto(&o.https))
	set.StringVar(&o.socket, "socket", "", "")
	set.StringVar(&o.state, "state", "", "")
	set.StringVar(&o.accessLog, "access-log", "", "")
	set.Func("log-level", "", func(text string) error {
		o.logLevel = text
		return checkLevel(text)
	})
	set.Func("drain-timeout", "", func(text string) (err error) {
		o.drainTimeout, err = positiveDuration(text)
		return err
	})
	set.BoolVar(&o.h2c, "h2c", false, "")
	set.BoolVar(&o.version, "version", false, "")
	if err := set.Parse(s.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errors.New(strings.Replace(err.Error(), " -", " --", 1))
	}
	o.rest = set.Args()
	return o, fromEnvironment(set, s)
}

// fromEnvironment sets the flags that were not given from their variables.
func fromEnvironment(set *flag.FlagSet, s system) error {
	given := map[string]bool{"version": true} // has no variable
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var problems []error
	set.VisitAll(func(f *flag.Flag) {
		name := variable(f.Name)
		value := s.getenv(name)
		if given[f.Name] || value == "" {
			return
		}
		if err := f.Value.Set(value); err != nil {
			problems = append(problems, fmt.Errorf("%s=%q: %w", name, value, err))
		}
	})
	return errors.Join(problems...)
}

func variable(name string) string {
	if name == "socket" {
		return api.SocketVariable
	}
	return "UPFRONT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func listInto(list *[]string) func(string) error {
	return func(text string) error {
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				*list = append(*list, one)
			}
		}
		if len(*list) == 0 {
			return errors.New("no address: write :PORT or HOST:PORT")
		}
		return nil
	}
}

func positiveDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("not a duration above zero: write it like 500ms, 30s or 2m")
	}
	return d, nil
}
