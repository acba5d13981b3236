package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"upfront/api"
	"upfront/internal/kamalstate"
	"upfront/internal/logfield"
)

// KamalOptions are what proxyd is told under kamal-proxy's name.
type KamalOptions struct {
	Debug bool
	// HTTP3 is stored until there is HTTP/3.
	HTTP3 bool
	// HTTPPort, HTTPSPort and MetricsPort are on every address; MetricsPort 0 is
	// off.
	HTTPPort, HTTPSPort, MetricsPort int
}

// The files in kamal-proxy's folder: its own state, which is read at the switch and
// written whenever ours is, for the way back, and ours.
const (
	kamalStateName = "kamal-proxy.state"
	ownStateName   = "upfront-state.json"
)

// kamalDrainTimeout leaves Docker, which kills after 10 s, no reason to.
const kamalDrainTimeout = "8s"

// Kamal runs proxyd with kamal-proxy's ports, paths and log, until ctx ends or a
// signal asks for the end. What KamalOptions do not say, UPFRONT_CONFIG and the other
// variables of proxyd may.
func Kamal(ctx context.Context, o KamalOptions) error {
	s := system{getenv: os.Getenv, unsetenv: os.Unsetenv, stdout: os.Stdout, stderr: os.Stdout}
	options, err := o.options(s)
	if err != nil {
		return err
	}
	return serve(ctx, s, options)
}

// mirror keeps kamal-proxy's state file at path, so that it finds the services when
// it comes back. A failure is logged, and costs nobody anything before that.
func (d *daemon) mirror(path string) func([]api.ServiceState) {
	if path == "" {
		return nil
	}
	writer := kamalstate.Writer{Path: path, Certificates: filepath.Join(filepath.Dir(path), "certs")}
	return func(services []api.ServiceState) {
		lost, err := writer.Write(services)
		if err := errors.Join(append(lost, err)...); err != nil {
			d.log.Warn("State of kamal-proxy lacks something", logfield.Path(path), logfield.Error(err))
		}
	}
}

func (o KamalOptions) options(s system) (options, error) {
	folder := api.KamalFolder(s.getenv)
	level := "info"
	if o.Debug {
		level = "debug"
	}
	s.args = []string{
		"--http", ":" + strconv.Itoa(o.HTTPPort), "--https", ":" + strconv.Itoa(o.HTTPSPort), "--socket", api.KamalSocket(s.getenv),
		"--state", filepath.Join(folder, ownStateName), "--access-log", "-", "--log-level", level,
	}
	if s.getenv(variable("drain-timeout")) == "" {
		s.args = append(s.args, "--drain-timeout", kamalDrainTimeout)
	}
	parsed, err := parseFlags(s)
	if err != nil {
		return parsed, err
	}
	parsed.kamal = true
	if o.MetricsPort != 0 {
		parsed.metrics = ":" + strconv.Itoa(o.MetricsPort)
	}
	parsed.takeover = func() ([]api.ServiceState, []error, error) {
		return kamalstate.Read(filepath.Join(folder, kamalStateName))
	}
	parsed.kamalState = filepath.Join(folder, kamalStateName)
	return parsed, nil
}
