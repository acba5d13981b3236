package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"upfront/config"
	"upfront/control"
	"upfront/proxy"
)

// listenAll binds the addresses where clients arrive; all of them or none.
func listenAll(ctx context.Context, flag string, places []config.Listener) (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
		}
	}()
	listenConfig := proxy.ListenConfig()
	for _, place := range places {
		ln, err := listenConfig.Listen(ctx, "tcp", place.Address)
		if err != nil {
			return all, listenError(flag, place.Address, err)
		}
		all = append(all, ln)
	}
	return all, nil
}

func listenError(flag, address string, err error) error {
	advice := "choose another address with " + flag
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		advice = "run as root, give the program CAP_NET_BIND_SERVICE, use a systemd socket, or choose a port from 1024 on with " + flag
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "stop the program that has the port, or choose another address with " + flag
	}
	return fmt.Errorf("listen on %q: %w: %s", address, cause(err), advice)
}

// cause is the error below what net wraps around it, which repeats the address.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		_ = ln.Close() // it serves nothing
	}
}

// listenControl makes the control socket, or takes the one that was passed.
func listenControl(passed *net.UnixListener, s settings) (*control.Listener, error) {
	if passed != nil {
		return control.Adopt(passed, s.group)
	}
	return control.Listen(control.SocketOptions{Path: s.socket, Group: s.group})
}
