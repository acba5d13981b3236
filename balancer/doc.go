// Package balancer decides which target takes a request: targets with their
// in-flight counts, immutable pools with a policy, and drain.
//
// Health, draining and full are three independent facts of a target; it is
// available when all three allow it. Choosing, counting and releasing take no
// lock and allocate nothing. A request that was acquired is always seen by Drain,
// and once Drain returned no request is acquired until Undrain.
//
//	pool := balancer.NewPool(targets, balancer.PoolOptions{Policy: balancer.LeastConnections})
//	target, err := pool.Acquire(nil)
//	if err != nil {
//		return err // ErrNoTarget
//	}
//	defer target.Release()
//
// The package starts no goroutines, never probes and never logs.
package balancer
