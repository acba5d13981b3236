// Package balancer decides which target takes a request: targets with their
// in-flight counts, immutable pools with a policy, and drain.
//
// Health, draining and full are three independent facts of a target; it is
// available when all three allow it. The package starts no goroutines, never
// probes and never logs.
package balancer
