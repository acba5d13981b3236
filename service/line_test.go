package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// answered is what Wait or Join gave to one request.
type answered struct {
	place Place
	err   error
}

// wait has n requests wait for f and returns where the answers come.
func wait(n int, f func(context.Context) (Place, error)) <-chan answered {
	all := make(chan answered, n)
	for range n {
		go func() {
			place, err := f(context.Background())
			all <- answered{place, err}
		}()
	}
	synctest.Wait()
	return all
}

func TestGate_Resume_letsThemThroughAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(0)
		g.Pause(time.Minute)
		const n = 3*passAtOnce + 1
		all := wait(n, g.Wait)
		g.Resume()
		synctest.Wait()
		if got := len(all); got != passAtOnce {
			t.Errorf("got %d through at once, want %d", got, passAtOnce)
		}
		for i := range n {
			a := <-all
			if a.err != nil || !a.place.Held() {
				t.Fatalf("request %d: got %+v", i, a)
			}
			a.place.End()
			a.place.End() // once counts
			synctest.Wait()
			if got, want := len(all), min(passAtOnce, n-i-1); got != want {
				t.Fatalf("after %d have left: got %d on their way, want %d", i+1, got, want)
			}
		}
		if g.Held() != 0 || g.Crowded() {
			t.Errorf("got %d held, crowded %v at the end", g.Held(), g.Crowded())
		}
	})
}

func TestGate_Wait_inLine(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  error
		after time.Duration
		event func(g *Gate)
	}{
		{"nobody leaves", ErrPauseTimeout, 10 * time.Second, func(*Gate) {}},
		{"paused again", ErrPauseTimeout, 10 * time.Second, func(g *Gate) { g.Pause(10 * time.Second) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewGate(0)
				g.Pause(10 * time.Second)
				all := wait(passAtOnce+1, g.Wait)
				g.Resume()
				synctest.Wait()
				for range passAtOnce {
					<-all
				}
				start := time.Now()
				c.event(g)
				if a := <-all; !errors.Is(a.err, c.want) || a.place.Held() || time.Since(start) != c.after {
					t.Errorf("got %+v after %s", a, time.Since(start))
				}
				if got := g.Held(); got != 0 {
					t.Errorf("got %d held", got)
				}
			})
		})
	}
}

func TestGate_Wait_inLineSeesAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(0)
		g.Pause(10 * time.Second)
		all := wait(passAtOnce+1, g.Wait)
		g.Resume()
		synctest.Wait()
		g.Stop("closed")
		first := <-all
		first.place.End()
		for range passAtOnce - 1 {
			<-all
		}
		if a := <-all; !errors.Is(a.err, ErrStopped) {
			t.Errorf("got %+v, want %v", a, ErrStopped)
		}
	})
}

func TestGate_Join(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2 * passAtOnce)
		if g.Crowded() {
			t.Error("crowded before any pause")
		}
		g.Pause(10 * time.Second)
		if g.Crowded() {
			t.Error("crowded while paused")
		}
		all := wait(passAtOnce, g.Wait)
		g.Resume()
		synctest.Wait()
		if !g.Crowded() {
			t.Error("not crowded while those that were held are on their way")
		}
		joined := wait(2*passAtOnce, g.Join)
		if _, err := g.Join(t.Context()); !errors.Is(err, ErrPauseFull) {
			t.Errorf("one too many: got %v, want %v", err, ErrPauseFull)
		}
		first := <-all
		first.place.End()
		if a := <-joined; a.err != nil || !a.place.Held() {
			t.Errorf("joined: got %+v", a)
		}
		<-time.After(10 * time.Second)
		if g.Crowded() {
			t.Error("crowded for longer than a request is held")
		}
		for range 2*passAtOnce - 1 {
			if a := <-joined; !errors.Is(a.err, ErrPauseTimeout) {
				t.Fatalf("got %+v, want %v", a, ErrPauseTimeout)
			}
		}
	})
}

func TestGate_during_keepsThePhase(t *testing.T) {
	g := NewGate(0)
	g.Stop("")
	p := g.closed.Load()
	called := false
	g.during(p, func() {
		if called = true; g.mu.TryLock() {
			t.Error("the gate can change in between")
		}
	})
	g.Resume()
	g.during(p, func() { t.Error("called although the phase is over") })
	if !called {
		t.Error("not called")
	}
}
