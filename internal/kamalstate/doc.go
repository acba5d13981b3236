// Package kamalstate reads the state file of kamal-proxy, in the form of v0.9.2 and
// in those before it, and writes it in that of v0.9.2, for the way back. It does not
// say what becomes of the services.
//
//	services, lost, err := kamalstate.Read(path)
//	lost, err := kamalstate.Writer{Path: path}.Write(services)
package kamalstate
