// Package daemon is the program proxyd: it builds the parts, wires them, and runs
// them until it is told to stop. cmd/proxyd and cmd/kamal-proxy are its two names.
//
//	os.Exit(daemon.Main(context.Background()))
package daemon
