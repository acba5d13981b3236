package service

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"upfront/api"
	"upfront/health"
)

// manyServices returns a registry of n services that is not run.
func manyServices(tb testing.TB, n int) *Registry {
	tb.Helper()
	r := savedRegistry(tb, filepath.Join(tb.TempDir(), "state.json"))
	if err := r.commit(func(d *draft) error { return fill(r, d, n) }); err != nil {
		tb.Fatal(err)
	}
	return r
}

// publishOne is a deploy of one service without its probe.
func publishOne(r *Registry, i int) error {
	const name = "service-7"
	target := api.Target{Address: fmt.Sprintf("10.0.0.2:%d", i%60000+1), Weight: 1}
	spec, err := deployable(r.world.Load(), name, r.published(name).spec)
	if err != nil {
		return err
	}
	members, _ := r.newMembers(name, spec, []api.Target{target}, health.Healthy)
	return r.commit(func(d *draft) error {
		if _, err := deployable(d.asWorld(), name, spec); err != nil {
			return err
		}
		next, _ := r.succeed(d.entries[name], name, spec, onDisk{}, slot{members: members})
		return d.put(next)
	})
}

func BenchmarkRegistry_Deploy(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			r := manyServices(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := publishOne(r, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRegistry_Match(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			r := manyServices(b, n)
			host, path := []byte("service-7.example.com"), []byte("/some/page")
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := r.Match(host, path); !ok {
					b.Fatal("no match")
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	path, _ := stored(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if names, _ := restart(b, path); len(names) != 10_000 {
			b.Fatalf("got %d services", len(names))
		}
	}
}

func TestRegistry_Match_allocatesNothing(t *testing.T) {
	r := manyServices(t, 100)
	host, path := []byte("Service-7.example.com:443"), []byte("/some/page")
	if got := testing.AllocsPerRun(100, func() { r.Match(host, path) }); got != 0 {
		t.Errorf("allocations of a match: got %v, want 0", got)
	}
}

func TestRegistry_Deploy_quickAmongTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 10,000 services")
	}
	r := manyServices(t, 10_000)
	best := time.Hour // the best of a few: others use this machine too
	for i := range 5 {
		start := time.Now()
		if err := publishOne(r, i); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	// It takes 10 ms. The bound is for a step for every pair of services, which would
	// take minutes, and leaves room for the race detector and a busy machine.
	if limit := 5 * time.Second; best > limit {
		t.Errorf("best of five deploys took %s, want at most %s", best, limit)
	}
}
