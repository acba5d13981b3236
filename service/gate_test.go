package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate_zeroValueRuns(t *testing.T) {
	var g Gate
	if g.State() != Running {
		t.Errorf("state: got %s, want running", g.State())
	}
	if _, err := g.Wait(t.Context()); err != nil {
		t.Errorf("wait: got %v, want nil", err)
	}
}

func TestGate_Wait(t *testing.T) {
	for _, test := range []struct {
		name  string
		want  error
		after time.Duration
		event func(g *Gate, cancel context.CancelFunc)
	}{
		{"resume", nil, time.Second, func(g *Gate, _ context.CancelFunc) { g.Resume() }},
		{"stop", ErrStopped, time.Second, func(g *Gate, _ context.CancelFunc) { g.Stop("") }},
		{"client leaves", context.Canceled, time.Second, func(_ *Gate, cancel context.CancelFunc) { cancel() }},
		{"max pause", ErrPauseTimeout, 10 * time.Second, func(*Gate, context.CancelFunc) {}},
		{"paused again", ErrPauseTimeout, 10 * time.Second, func(g *Gate, _ context.CancelFunc) { g.Pause(10 * time.Second) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewGate(0)
				g.Pause(10 * time.Second)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Second, func() { test.event(g, cancel) })
				start := time.Now()
				_, err := g.Wait(ctx)
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if got := time.Since(start); got != test.after {
					t.Errorf("held for %s, want %s", got, test.after)
				}
				if got := g.Held(); got != 0 {
					t.Errorf("held afterwards: got %d, want 0", got)
				}
			})
		})
	}
}

func TestGate_Wait_refusesWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2)
		g.Pause(time.Hour)
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := g.Wait(t.Context())
				errs <- err
			}()
		}
		synctest.Wait()
		if _, err := g.Wait(t.Context()); !errors.Is(err, ErrPauseFull) {
			t.Errorf("third: got %v, want %v", err, ErrPauseFull)
		}
		g.Resume()
		for range 2 {
			if err := <-errs; err != nil {
				t.Errorf("held: got %v, want nil", err)
			}
		}
	})
}

func TestGate_Stop_message(t *testing.T) {
	g := NewGate(1)
	g.Stop("back soon")
	if _, err := g.Wait(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("wait: got %v, want %v", err, ErrStopped)
	}
	if got := g.Message(); got != "back soon" {
		t.Errorf("message: got %q", got)
	}
	g.Resume()
	if got := g.Message(); got != "" {
		t.Errorf("message while running: got %q, want none", got)
	}
}
