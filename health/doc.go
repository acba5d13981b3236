// Package health decides whether a target is well: it probes the target,
// judges the answers against thresholds, and says when the verdict changes.
//
// It never chooses a target, never logs and never sees client traffic; the
// evidence of traffic arrives through Monitor.Suspect and can only make a
// target unhealthy sooner. Only a probe makes a target healthy.
package health
