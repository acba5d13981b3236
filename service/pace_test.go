package service

import (
	"testing"
	"time"
)

func TestPace_spreadsWhatComesBehindTheBurst(t *testing.T) {
	var p pace
	now := time.Now()
	for i := range paceBurst {
		if got := p.wait(now); got != 0 {
			t.Fatalf("turn %d: got %v, want 0", i, got)
		}
	}
	for i := range 10_000 {
		if got, want := p.wait(now), time.Duration(i+1)*paceGap; got != want {
			t.Fatalf("turn %d behind the burst: got %v, want %v", i, got, want)
		}
	}
	later := now.Add(time.Minute)
	for i := range paceBurst {
		if got := p.wait(later); got != 0 {
			t.Fatalf("turn %d a minute later: got %v, want 0", i, got)
		}
	}
	if got := p.wait(later); got != paceGap {
		t.Errorf("behind the second burst: got %v, want %v", got, paceGap)
	}
}
