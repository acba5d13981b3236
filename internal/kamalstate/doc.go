// Package kamalstate reads the state file of kamal-proxy, in the form of v0.9.2 and
// in those before it. It never writes that file, and does not say what becomes of
// the services.
//
//	services, lost, err := kamalstate.Read(path)
package kamalstate
