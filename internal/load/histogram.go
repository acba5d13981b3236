package load

import (
	"math/bits"
	"time"
)

// Each power of two of nanoseconds is cut into this many equal buckets, so a
// quantile is off by less than 1 in 128.
const (
	bucketBits = 7
	subBuckets = 1 << bucketBits
	buckets    = (64 - bucketBits) * subBuckets
)

// Histogram counts durations in log-linear buckets. The zero value is empty. It
// is not safe for concurrent use.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	max    time.Duration
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// Merge adds what other counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that the share q (0 to 1) of all durations does not
// exceed; zero when the histogram is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q*float64(h.total) + 0.5)
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(top(i), h.max)
		}
	}
	return h.max
}

func bucket(v uint64) int {
	shift := max(bits.Len64(v)-bucketBits-1, 0)
	return shift*subBuckets + int(v>>shift)
}

// top is the largest duration of bucket i.
func top(i int) time.Duration {
	shift := max(i/subBuckets-1, 0)
	low := uint64(i-shift*subBuckets) << shift
	return time.Duration(low + 1<<shift - 1)
}
