package config

// treatment are the keys of how the requests of a service are treated on their way.
func (d *decoder) treatment(s *Service) []key {
	spec := &s.Spec
	return append([]key(nil),
		key{"read_targets", into(&s.Readers, d.targets)},
		key{"writer_affinity_timeout", into(&spec.WriterAffinityTimeout, d.offDuration)},
		key{"read_target_websockets", into(&spec.ReadTargetWebSockets, d.flag)},
		key{"forward_headers", func(v value) { spec.ForwardHeaders = new(d.flag(v)) }},
		key{"client_ip_header", into(&spec.ClientIPHeader, d.headerName)},
		key{"scope_cookie_paths", into(&spec.ScopeCookiePaths, d.flag)},
		key{"log_request_headers", into(&spec.LogRequestHeaders, d.headerNames)},
		key{"log_response_headers", into(&spec.LogResponseHeaders, d.headerNames)},
		key{"exclude_metrics_paths", into(&spec.ExcludeMetricsPaths, d.uncounted)},
		key{"publish_health_check", into(&spec.PublishHealthCheck, d.flag)},
	)
}

func (d *decoder) headerName(v value) string {
	written, ok := d.text(v)
	if ok && !fieldNameOK(written) {
		d.failValue(v, "%q is not a header name: write it like X-Real-IP", written)
		return ""
	}
	return written
}

func (d *decoder) headerNames(v value) (names []string) {
	for _, item := range d.items(v) {
		if name := d.headerName(item); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (d *decoder) uncounted(v value) (paths []string) {
	for _, item := range d.items(v) {
		written, ok := d.text(item)
		if !ok {
			continue
		}
		if problem := pathPrefixProblem(written); problem != "" {
			d.failValue(item, "%q %s", written, problem)
			continue
		}
		paths = append(paths, written)
	}
	return paths
}
