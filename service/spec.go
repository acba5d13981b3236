package service

import (
	"upfront/api"
	"upfront/route"
)

// normalSpec validates spec and returns it with its defaults, and its hosts and
// path prefixes in the form in which routes are compared.
func normalSpec(spec api.Spec) (api.Spec, error) {
	if err := spec.Validate(); err != nil {
		return spec, err
	}
	spec = spec.WithDefaults() // a copy, its lists included
	for i, host := range spec.Hosts {
		parsed, err := route.ParseHost(host)
		if err != nil {
			return spec, failure(api.CodeInvalid, "--host", "%s", err)
		}
		spec.Hosts[i] = parsed
	}
	for i, prefix := range spec.PathPrefixes {
		parsed, err := route.ParsePathPrefix(prefix)
		if err != nil {
			return spec, failure(api.CodeInvalid, "--path-prefix", "%s", err)
		}
		spec.PathPrefixes[i] = parsed
	}
	// Two spellings can become one route.
	return spec, spec.Validate()
}

// routes returns every route of spec, which is in its normal form.
func routes(spec api.Spec) []route.Route {
	hosts := spec.Hosts
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	all := make([]route.Route, 0, len(hosts)*len(spec.PathPrefixes))
	for _, host := range hosts {
		for _, prefix := range spec.PathPrefixes {
			all = append(all, route.Route{Host: host, PathPrefix: prefix})
		}
	}
	return all
}

// conflict returns an error when a service other than name has one of the
// routes of spec.
func (w *world) conflict(name string, spec api.Spec) error {
	for _, at := range routes(spec) {
		if other, taken := w.owners[at]; taken && other != name {
			return conflictError(other, at)
		}
	}
	return nil
}
