package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"time"

	"upfront/api"
	"upfront/cert"
	"upfront/config"
	"upfront/proxy"
	"upfront/service"
)

// settings are what counts in the end: flag, else variable, else file, else
// default. Those of the first group can change only with a restart.
type settings struct {
	http      []config.Listener
	https     []config.Listener
	socket    string
	group     string
	state     string
	accessLog string // "off", "-" or the path of a file

	logLevel     string
	drainTimeout time.Duration
	proxy        proxy.Settings
	acme         config.ACME
	services     []service.Declared
	certificates []*cert.Pair // for hosts whose services have none
	problem      error        // that costs something, but nothing that is worth a refusal
}

const defaultDrainTimeout = 30 * time.Second

// resolve makes settings of what was given and the file, which may be nil.
func resolve(o options, file *config.File) settings {
	if file == nil {
		file = &config.File{}
	}
	s := settings{
		http:         at(o.http),
		https:        at(o.https),
		socket:       firstOf(o.socket, file.Control.Socket, api.DefaultSocket()),
		group:        file.Control.Group,
		state:        firstOf(o.state, file.State, defaultState()),
		accessLog:    firstOf(o.accessLog, file.Log.Access, "-"),
		logLevel:     firstOf(o.logLevel, file.Log.Level, "info"),
		drainTimeout: firstOf(o.drainTimeout, file.DrainTimeout, defaultDrainTimeout),
		proxy: proxy.Settings{
			TrustedProxies:   file.TrustedProxies,
			Upgrades:         file.Upgrades,
			MaxConnections:   file.Limits.Connections,
			MaxPerAddress:    file.Limits.PerIP,
			MaxHeadBytes:     file.Limits.HeadBytes,
			MaxFields:        file.Limits.Fields,
			HandshakeTimeout: file.Limits.Handshake,
			HeadTimeout:      file.Limits.HeadTimeout,
			IdleTimeout:      file.Limits.IdleTimeout,
			ConnectTimeout:   file.Limits.ConnectTimeout,
			BodyTimeout:      file.Limits.BodyTimeout,
			BodyRate:         file.Limits.BodyRate,
			BodyGrace:        file.Limits.BodyGrace,
			TunnelTimeout:    file.Limits.TunnelTimeout,
			CleartextHTTP2:   o.h2c || file.HTTP2.Cleartext,
			KeepUnderscores:  file.Headers.Underscores == "keep",
			KamalHeaders:     o.kamal,
		},
		acme:     file.ACME,
		services: declared(file.Services),
	}
	if len(s.http) == 0 {
		s.http = file.Listeners.HTTP
	}
	if len(s.http) == 0 {
		s.http = at([]string{":80"})
	}
	if len(s.https) == 0 {
		s.https = file.Listeners.HTTPS
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
	note("listeners.http", reflect.DeepEqual(s.http, now.http))
	note("listeners.https", reflect.DeepEqual(s.https, now.https))
	note("control.socket", s.socket == now.socket)
	note("control.group", s.group == now.group)
	note("state", s.state == now.state)
	note("log.access", s.accessLog == now.accessLog)
	note("tls", reflect.DeepEqual(s.acme, now.acme))
	return keys
}

// at is plain listeners at addresses.
func at(addresses []string) []config.Listener {
	var all []config.Listener
	for _, address := range addresses {
		all = append(all, config.Listener{Address: address})
	}
	return all
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
