package peer

import (
	"fmt"
	"path/filepath"
	"strings"
)

func envoy(path string, o Options) (rendered, error) {
	switch {
	case o.Swap:
		return rendered{}, CannotError("no config with another target for envoy yet")
	case o.TLS != nil:
		return rendered{}, CannotError("no config with TLS for envoy yet")
	}
	return rendered{
		files: map[string]string{"envoy.yml": envoyConfig(o)},
		args: []string{
			path, "-c", filepath.Join(o.Dir, "envoy.yml"), "--concurrency", "1", "--log-level", "error",
			"--disable-hot-restart",
		},
	}, nil
}

const envoyType = "type.googleapis.com/envoy.extensions."

func envoyConfig(o Options) string {
	var hosts, clusters strings.Builder
	add := func(name, domain string, targets []string, probed bool) {
		fmt.Fprintf(&hosts, "          - {name: %s, domains: [%q], routes: [{match: {prefix: /}, route: {cluster: %s, timeout: 0s}}]}\n",
			name, domain, name)
		fmt.Fprintf(&clusters, "  - name: %s\n    connect_timeout: 2s\n    type: STATIC\n", name)
		if probed {
			fmt.Fprintf(&clusters, "    health_checks: [{timeout: 5s, interval: %.0fs, healthy_threshold: 1, unhealthy_threshold: 3, "+
				"http_health_check: {path: /up}}]\n", ProbeInterval.Seconds())
		}
		fmt.Fprintf(&clusters, "    load_assignment:\n      cluster_name: %s\n      endpoints:\n      - lb_endpoints:\n", name)
		for _, target := range targets {
			fmt.Fprintf(&clusters, "        - endpoint: {address: {socket_address: %s}}\n", envoyAddress(target))
		}
	}
	if o.Services == 0 {
		add("bench", "*", []string{o.Target}, false)
	}
	for i, host := range o.hosts() {
		add(fmt.Sprintf("s%d", i), host, []string{o.Target}, false)
	}
	for i, group := range o.groups() {
		add(fmt.Sprintf("p%d", i), fmt.Sprintf("p%d.bench.test", i), group, true)
	}
	log := ""
	if o.Log {
		log = fmt.Sprintf("        access_log: [{name: file, typed_config: {\"@type\": %saccess_loggers.file.v3.FileAccessLog, path: %s}}]\n",
			envoyType, filepath.Join(o.Dir, "envoy.log"))
	}
	return "static_resources:\n  listeners:\n  - address: {socket_address: " + envoyAddress(o.Listen) + "}\n" +
		"    filter_chains:\n    - filters:\n      - name: http\n        typed_config:\n" +
		"        \"@type\": " + envoyType + "filters.network.http_connection_manager.v3.HttpConnectionManager\n" +
		"        stat_prefix: bench\n        use_remote_address: true\n        upgrade_configs: [{upgrade_type: websocket}]\n" + log +
		"        http_filters: [{name: router, typed_config: {\"@type\": " + envoyType + "filters.http.router.v3.Router}}]\n" +
		"        route_config:\n          virtual_hosts:\n" + hosts.String() + "  clusters:\n" + clusters.String()
}

func envoyAddress(address string) string {
	host, port, _ := strings.Cut(address, ":")
	return fmt.Sprintf("{address: %s, port_value: %s}", host, port)
}
