// Package health decides whether a target is well: it probes the target,
// judges the answers against thresholds, and says when the verdict changes.
//
//	m := health.NewMonitor(health.Options{Address: "web-v2:3000"}, func(c health.Change) {
//		target.SetHealth(c.To) // called by Run, one change after the other
//	})
//	go m.Run(ctx)                   // returns when ctx ended and no probe runs
//	m.Suspect("connection refused") // evidence of traffic: unhealthy, probed at once
//	last, _ := m.Last()
//	last.String() // "GET /up: 503, checks: database=false"
//
// It never chooses a target, never logs and never sees client traffic; the
// evidence of traffic arrives through Monitor.Suspect and can only make a
// target unhealthy sooner. Only a probe makes a target healthy.
package health
