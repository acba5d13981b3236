package config

import (
	"fmt"
	"strconv"
	"strings"

	"upfront/api"
)

func (d *decoder) services(v value) {
	d.file.NamesServices = !v.empty()
	for _, f := range d.fields(v) {
		if problem := serviceNameProblem(f.key); problem != "" {
			d.fail(f.at, "%s: %q %s", v.path, f.key, problem)
		}
		d.service(f)
	}
}

// serviceNameProblem says what is wrong with a name in the words of a config
// error.
func serviceNameProblem(name string) string {
	if api.ValidateName(name) == nil {
		return ""
	}
	return fmt.Sprintf("is not a name: write 1 to %d letters, digits, dots, dashes and underscores, the first a letter or digit", api.MaxNameLength)
}

func (d *decoder) service(f field) {
	s := Service{Name: f.key, Line: f.at.line, Column: f.at.column}
	spec := &s.Spec
	var hosts, prefixes []claimed
	before := len(d.errs)
	if !f.empty() {
		d.mapping(f.value, append([]key{
			{"hosts", func(v value) { hosts = d.hosts(v, spec) }},
			{"path_prefixes", func(v value) { prefixes = d.pathPrefixes(v, spec) }},
			{"strip_path_prefix", func(v value) { spec.KeepPathPrefix = !d.flag(v) }},
			{"tls", func(v value) { d.serviceTLS(v, &s) }},
			{"canonical_host", into(&spec.CanonicalHost, d.canonicalHost)},
			{"targets", into(&s.Targets, d.targets)},
			{"target_tls", into(&spec.TargetTLS, d.targetTLS)},
			{"policy", func(v value) { spec.Policy = d.policy(v) }},
			{"health_check", func(v value) { d.healthCheck(v, &spec.HealthCheck) }},
			{"target_timeout", into(&spec.TargetTimeout, d.offDuration)},
			{"max_request_body", func(v value) { spec.MaxRequestBody = d.size(v, 0, 1<<50) }},
			{"buffer_requests", into(&spec.BufferRequests, d.flag)},
			{"buffer_responses", into(&spec.BufferResponses, d.flag)},
			{"buffer_memory", func(v value) { spec.BufferMemory = d.size(v, 1, 1<<50) }},
			{"max_response_body", func(v value) { spec.MaxResponseBody = d.size(v, 0, 1<<50) }},
			{"replay_body", func(v value) { spec.ReplayBody = d.size(v, 0, 1<<50) }},
			{"max_in_flight", func(v value) { spec.MaxInFlight = int(d.integer(v, 0, 1_000_000)) }},
			{"slow_start", into(&spec.SlowStart, d.optionalDuration)},
			{"fail_open", into(&spec.FailOpen, d.flag)},
			{"error_pages", into(&s.ErrorPages, d.folder)},
			{"deploy_timeout", into(&s.DeployTimeout, d.apiDuration)},
			{"drain_timeout", into(&s.DrainTimeout, d.apiDuration)},
		}, d.treatment(&s)...)...)
		if s.Readers != nil && s.Targets == nil && len(d.errs) == before {
			d.fail(f.at, "services.%s: has read_targets and no targets: add targets, or leave both to proxyctl deploy", f.key)
		}
	}
	// What was not readable here may be what keeps the routes apart.
	if len(d.errs) == before && !d.unbound {
		d.claim(f, hosts, prefixes)
	}
	spec.ErrorPages = s.ErrorPages.Path
	d.file.Services = append(d.file.Services, s)
}

func (d *decoder) policy(v value) api.Policy {
	return api.Policy(d.choice(v, string(api.PolicyRoundRobin), string(api.PolicyLeastConnections), string(api.PolicyTwoChoices)))
}

func (d *decoder) hosts(v value, spec *api.Spec) []claimed {
	var all []claimed
	for _, item := range d.items(v) {
		written, ok := d.text(item)
		if !ok {
			continue
		}
		if problem := hostProblem(written); problem != "" {
			d.failValue(item, "%q %s", written, problem)
			continue
		}
		spec.Hosts = append(spec.Hosts, written)
		all = append(all, claimed{strings.ToLower(strings.TrimSuffix(written, ".")), item.at})
	}
	if len(all) == 0 && v.empty() {
		d.failValue(v, "has no value: write a host, or remove the key to answer for every host")
	}
	return all
}

// hostProblem says what is wrong with a host to answer for, or "".
func hostProblem(written string) string {
	name := strings.TrimPrefix(written, "*.")
	switch {
	case strings.Contains(name, "*"):
		return "has a wildcard that is not the whole first label: write it like *.example.com"
	case strings.Contains(name, "/"):
		return "has a scheme or a path: write the host alone, and the path below path_prefixes"
	case strings.Contains(name, ":"):
		return "has a port: write the host alone"
	case !hostNameOK(name):
		return "is not a host name: write it like app.example.com"
	}
	return ""
}

func (d *decoder) pathPrefixes(v value, spec *api.Spec) []claimed {
	var all []claimed
	for _, item := range d.items(v) {
		written, ok := d.text(item)
		if !ok {
			continue
		}
		if problem := pathPrefixProblem(written); problem != "" {
			d.failValue(item, "%q %s", written, problem)
			continue
		}
		normal := "/" + strings.Trim(written, "/")
		spec.PathPrefixes = append(spec.PathPrefixes, normal)
		all = append(all, claimed{normal, item.at})
	}
	if len(all) == 0 && v.empty() {
		d.failValue(v, "has no value: write a path prefix, or remove the key for /")
	}
	return all
}

func pathPrefixProblem(written string) string {
	if !strings.HasPrefix(written, "/") {
		return "is not a path prefix: start it with /"
	}
	for i := range len(written) {
		if c := written[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("?#\\", c) >= 0 {
			return "has a character that no path has: percent-encode it, and leave queries out"
		}
	}
	if strings.Contains(written, "//") {
		return "has an empty segment: write single slashes"
	}
	return ""
}

// targets reads the fixed targets of a service.
func (d *decoder) targets(v value) []api.Target {
	items := d.items(v)
	if len(items) == 0 {
		d.failValue(v, "has no target: write one, or remove the key so that proxyctl deploy sets them")
		return nil
	}
	all := make([]api.Target, 0, len(items))
	seen := make(map[string]place, len(items))
	for _, item := range items {
		target, at := d.target(item)
		if target.Address == "" {
			continue
		}
		if first, twice := seen[target.Address]; twice {
			d.fail(at, "%s: %q is already on line %d: remove one of the two, or give one a weight", item.path, target.Address, first.line)
			continue
		}
		seen[target.Address] = at
		all = append(all, target)
	}
	return all
}

// target reads an address, or a mapping with an address.
func (d *decoder) target(v value) (api.Target, place) {
	var target api.Target
	if _, ok := mappingEntries(v.node); !ok {
		target.Address = d.targetAddress(v)
		return target, v.at
	}
	at, said, before := v.at, false, len(d.errs)
	d.mapping(v,
		key{"address", func(v value) {
			said, at = true, v.at
			target.Address = d.targetAddress(v)
		}},
		key{"weight", func(v value) { target.Weight = int(d.integer(v, 1, api.MaxWeight)) }},
	)
	if !said && len(d.errs) == before {
		d.failValue(v, "has no address: add address: HOST:PORT")
	}
	return target, at
}

func (d *decoder) targetAddress(v value) string {
	written, ok := d.text(v)
	if !ok {
		return ""
	}
	if problem := targetAddressProblem(written); problem != "" {
		d.failValue(v, "%q %s", written, problem)
		return ""
	}
	return written
}

// claimed is a host or path prefix, normal, and where it is written.
type claimed struct {
	text string
	at   place
}

// claim is a route that a service of the file has taken.
type claim struct {
	service string
	at      place
}

// claim notes the routes of a service and reports those that another service
// of the file has.
func (d *decoder) claim(f field, hosts, prefixes []claimed) {
	if len(hosts) == 0 {
		hosts = []claimed{{"", f.at}}
	}
	if len(prefixes) == 0 {
		prefixes = []claimed{{"/", place{}}}
	}
	if !d.spend(f.value, len(hosts)*len(prefixes)) {
		return
	}
	for _, host := range hosts {
		for _, prefix := range prefixes {
			at := host.at
			if len(prefixes) > 1 || host.text == "" && prefix.at.line > 0 {
				at = prefix.at
			}
			route := host.text + prefix.text
			first, taken := d.routes[route]
			switch {
			case !taken:
				d.routes[route] = claim{f.key, at}
			case first.service == f.key:
				d.fail(at, "services.%s: the route %s is there twice (line %d, column %d): remove one of the two",
					f.key, routeText(route), first.at.line, first.at.column)
			default:
				d.fail(at, "services.%s: the route %s belongs to service %q (line %d, column %d): give one of the two another host or path prefix",
					f.key, routeText(route), first.service, first.at.line, first.at.column)
			}
		}
	}
}

func routeText(route string) string {
	if strings.HasPrefix(route, "/") {
		return strconv.Quote(route) + " of every host"
	}
	return strconv.Quote(route)
}
