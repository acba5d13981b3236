package hist

import (
	"testing"
	"time"
)

func TestHistogram_Quantile_isWithinABucket(t *testing.T) {
	var h Histogram
	for i := range 100_000 {
		h.Add(time.Duration(i+1) * time.Microsecond)
	}
	for _, test := range []struct {
		q    float64
		want time.Duration
	}{
		{0, time.Microsecond},
		{0.5, 50 * time.Millisecond},
		{0.99, 99 * time.Millisecond},
		{0.999, 99900 * time.Microsecond},
		{1, 100 * time.Millisecond},
	} {
		got := h.Quantile(test.q)
		if off := (got - test.want).Abs(); float64(off) > 0.016*float64(test.want) {
			t.Errorf("Quantile(%v): got %v, want %v within 1.6 %%", test.q, got, test.want)
		}
	}
	if got, want := h.Max(), 100*time.Millisecond; got != want {
		t.Errorf("Max: got %v, want %v", got, want)
	}
}

func TestHistogram_bucketsAreInOrder(t *testing.T) {
	last := -1
	for v := range uint64(1 << 20) {
		i := bucketOf(v)
		if i != last && i != last+1 {
			t.Fatalf("bucket of %d: got %d behind %d, want the same or the next", v, i, last)
		}
		last = i
	}
}

func TestHistogram_extremes(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("empty: got %v, want 0", got)
	}
	h.Add(-time.Second)
	h.Add(1000 * time.Hour)
	if got, want := h.Quantile(0), time.Duration(0); got != want {
		t.Errorf("negative: got %v, want %v", got, want)
	}
	if got, want := h.Count(), uint64(2); got != want {
		t.Errorf("Count: got %d, want %d", got, want)
	}
}

func TestHistogram_Merge_countsBoth(t *testing.T) {
	var a, b Histogram
	a.Add(time.Millisecond)
	b.Add(time.Second)
	a.Merge(&b)
	if got, want := a.Count(), uint64(2); got != want {
		t.Errorf("Count: got %d, want %d", got, want)
	}
	if got, want := a.Max(), time.Second; got != want {
		t.Errorf("Max: got %v, want %v", got, want)
	}
}
