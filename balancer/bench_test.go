package balancer

import (
	"fmt"
	"testing"

	"upfront/health"
)

func BenchmarkPool_Acquire(b *testing.B) {
	for _, policy := range policies {
		for _, n := range []int{1, 3, 100} {
			pool := NewPool(healthyTargets(equalWeights(n)...), PoolOptions{Policy: policy})
			b.Run(fmt.Sprintf("%s/targets=%d", policy, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					target, _ := pool.Acquire(nil)
					target.Succeeded()
					target.Release()
				}
			})
			b.Run(fmt.Sprintf("%s/targets=%d/parallel", policy, n), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						target, _ := pool.Acquire(nil)
						target.Succeeded()
						target.Release()
					}
				})
			})
		}
	}
}

// What a request costs when nothing is left to take it.
func BenchmarkPool_Acquire_noTarget(b *testing.B) {
	for _, policy := range policies {
		targets := healthyTargets(equalWeights(100)...)
		for _, target := range targets {
			target.SetHealth(health.Unhealthy)
		}
		pool := NewPool(targets, PoolOptions{Policy: policy})
		b.Run(policy, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pool.Acquire(nil); err == nil {
					b.Fatal("got a target, want none")
				}
			}
		})
	}
}

func BenchmarkNewPool(b *testing.B) {
	for _, n := range []int{3, 100} {
		weights := make([]int, n)
		for i := range weights {
			weights[i] = 1 + i%17
		}
		targets := healthyTargets(weights...)
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewPool(targets, PoolOptions{})
			}
		})
	}
}
