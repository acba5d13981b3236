package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"upfront/api"
	"upfront/config"
	"upfront/proxy"
	"upfront/service"
)

// settings are what counts in the end: flag, else variable, else file, else
// default. Those of the first group can change only with a restart.
type settings struct {
	http      []string
	socket    string
	group     string
	state     string
	accessLog string // "off", "-" or the path of a file

	logLevel     string
	drainTimeout time.Duration
	proxy        proxy.Settings
	services     []service.Declared
	problem      error // that costs something, but nothing that is worth a refusal
}

const defaultDrainTimeout = 30 * time.Second

// resolve makes settings of what was given and the file, which may be nil.
func resolve(o options, file *config.File) settings {
	if file == nil {
		file = &config.File{}
	}
	s := settings{
		http:         o.http,
		socket:       firstOf(o.socket, file.Control.Socket, api.DefaultSocket()),
		group:        file.Control.Group,
		state:        firstOf(o.state, file.State, defaultState()),
		accessLog:    firstOf(o.accessLog, file.Log.Access, "-"),
		logLevel:     firstOf(o.logLevel, file.Log.Level, "info"),
		drainTimeout: firstOf(o.drainTimeout, file.DrainTimeout, defaultDrainTimeout),
		proxy: proxy.Settings{
			TrustedProxies:  file.TrustedProxies,
			Upgrades:        file.Upgrades,
			MaxConnections:  file.Limits.Connections,
			MaxPerAddress:   file.Limits.PerIP,
			MaxHeadBytes:    file.Limits.HeadBytes,
			MaxFields:       file.Limits.Fields,
			HeadTimeout:     file.Limits.HeadTimeout,
			IdleTimeout:     file.Limits.IdleTimeout,
			ConnectTimeout:  file.Limits.ConnectTimeout,
			BodyTimeout:     file.Limits.BodyTimeout,
			BodyRate:        file.Limits.BodyRate,
			BodyGrace:       file.Limits.BodyGrace,
			TunnelTimeout:   file.Limits.TunnelTimeout,
			KamalHeaders:    o.kamal,
			KeepUnderscores: file.Headers.Underscores == "keep",
		},
		services: declared(file.Services),
	}
	if len(s.http) == 0 {
		s.http = file.Listeners.HTTP
	}
	if len(s.http) == 0 {
		s.http = []string{":80"}
	}
	if s.accessLog == "on" {
		s.accessLog = "-"
	}
	return s
}

// needRestart names the settings that differ from those of the start and that
// only a restart can change.
func (s settings) needRestart(now settings) []string {
	var keys []string
	note := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	note("listeners.http", slices.Equal(s.http, now.http))
	note("control.socket", s.socket == now.socket)
	note("control.group", s.group == now.group)
	note("state", s.state == now.state)
	note("log.access", s.accessLog == now.accessLog)
	return keys
}

func declared(services []config.Service) []service.Declared {
	all := make([]service.Declared, len(services))
	for i, s := range services {
		all[i] = service.Declared{
			Name: s.Name, Spec: s.Spec, Targets: s.Targets, Readers: s.Readers,
			DeployTimeout: s.DeployTimeout, DrainTimeout: s.DrainTimeout,
		}
	}
	return all
}

// defaultState is in the folder for the state of the system, or of the user.
func defaultState() string {
	folder := "/var/lib"
	if os.Geteuid() != 0 && !writable("/var/lib/upfront") {
		folder = os.Getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(folder) {
			home, err := os.UserHomeDir()
			if err != nil {
				home = os.TempDir()
			}
			folder = filepath.Join(home, ".local", "state")
		}
	}
	return filepath.Join(folder, "upfront", "state.json")
}

func firstOf[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}
