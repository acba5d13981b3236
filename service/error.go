package service

import (
	"context"
	"errors"
	"fmt"

	"upfront/api"
	"upfront/route"
)

// errSuperseded is the cause of the context of a deploy that a newer one ended.
var errSuperseded = errors.New("superseded")

func failure(code api.Code, flag, format string, args ...any) error {
	return &api.Error{Code: code, Message: fmt.Sprintf(format, args...), Flag: flag}
}

func notFound(name string) error {
	return failure(api.CodeNotFound, "", "service %q is not deployed: see proxyctl list", name)
}

func targetNotFound(name, address string) error {
	return failure(api.CodeNotFound, "--target", "service %q has no target %q: see proxyctl status", name, address)
}

func noRollout(name string) error {
	return failure(api.CodeNoRollout, "", "service %q has no rollout targets: deploy them with proxyctl rollout deploy", name)
}

// ownedTargets is the answer to a call that would change targets that the config
// file fixes.
func ownedTargets(name string) error {
	return failure(api.CodeOwned, "",
		"the config file fixes the targets of service %q: change its targets there, or remove them there "+
			"to set them over the socket", name)
}

func conflictError(other string, at route.Route) error {
	host, flag := "every host", "--host"
	if at.Host != "" {
		host = fmt.Sprintf("host %q", at.Host)
	}
	if at.PathPrefix != "/" {
		host += fmt.Sprintf(" with path prefix %q", at.PathPrefix)
	}
	return failure(api.CodeConflict, flag,
		"service %q already answers for %s: change --host or --path-prefix, or remove that service first", other, host)
}

// left turns the end of a call's context into its error.
func left(ctx context.Context, name string) error {
	if errors.Is(context.Cause(ctx), errSuperseded) {
		return failure(api.CodeSuperseded, "--supersede",
			"a newer deploy of service %q took over; nothing was changed by this one", name)
	}
	if why, ok := errors.AsType[*api.Error](context.Cause(ctx)); ok {
		return why // of whoever canceled the call
	}
	return failure(api.CodeCanceled, "", "the caller left before service %q was changed; nothing was changed", name)
}

func stopping() error {
	return failure(api.CodeCanceled, "", "proxyd is stopping; nothing was changed")
}
