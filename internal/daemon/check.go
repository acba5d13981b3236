package daemon

import (
	"errors"
	"fmt"

	"upfront/config"
	"upfront/service"
)

// checkCommand says what is wrong with a config file. It asks no running proxyd;
// proxyctl check does, and so knows of the routes that were deployed.
func checkCommand(s system, o options) int {
	path := firstOf(o.config, config.DefaultPath)
	switch len(o.rest) {
	case 1:
	case 2:
		path = o.rest[1]
	default:
		return fail(s, usageError{errors.New("check takes one file: proxyd check FILE")})
	}
	text, err := config.ReadFile(path)
	if err != nil {
		return fail(s, usageError{err})
	}
	file, err := config.Parse(path, text)
	if err == nil {
		registry, failed := service.New(service.Options{})
		if failed != nil {
			return fail(s, failed)
		}
		judge := reloader{path: path, registry: registry}
		err = judge.checkAll(file, declared(file.Services), text)
	}
	if err != nil {
		fmt.Fprintln(s.stderr, report(err))
		return exitUsage
	}
	fmt.Fprintf(s.stdout, "%s is good (services: %d)\n", path, len(file.Services))
	return exitClean
}
