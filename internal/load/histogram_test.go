package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogram_Quantile_isWithinOnePercent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 20000 {
		d := time.Duration(r.ExpFloat64() * float64(3*time.Millisecond))
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all))+0.5)-1]
		got := h.Quantile(q)
		if got < want || float64(got) > float64(want)*1.01+1 {
			t.Errorf("Quantile(%v) = %v, want %v to 1%% more", q, got, want)
		}
	}
	if got, want := h.Max(), all[len(all)-1]; got != want || h.Quantile(1) != want {
		t.Errorf("Max = %v, Quantile(1) = %v, want %v", got, h.Quantile(1), want)
	}
}

func TestHistogram_extremes(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("Quantile of nothing = %v, want 0", got)
	}
	for _, d := range []time.Duration{-1, 0, 1, 127, 128, 255, 256, 1<<63 - 1} {
		var one Histogram
		one.Add(d)
		want := max(d, 0)
		if got := one.Quantile(0.5); got != want {
			t.Errorf("Quantile of only %d = %d", d, got)
		}
		h.Merge(&one)
	}
	if got := h.Count(); got != 8 {
		t.Errorf("Count after Merge = %d, want 8", got)
	}
}
