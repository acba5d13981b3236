// Package hist counts durations in buckets that are at most 1.6 % wide, so that
// millions of latencies keep their slowest thousandth in a few kilobytes.
package hist

import (
	"math/bits"
	"time"
)

const (
	precision = 6 // bits of a value that count: 64 buckets from each power of two to the next
	buckets   = (42 - precision + 1) << precision
)

// Histogram counts durations from 0 to over an hour; longer ones count as the
// longest. The zero value is empty. It is not safe for concurrent use.
type Histogram struct {
	counts [buckets]uint32
	count  uint64
	max    time.Duration
}

// Add counts one duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.count++
	h.max = max(h.max, d)
}

// Merge counts all that other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.count }

// Max is the longest duration, as it was added.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that a share q, from 0 to 1, of all does not exceed, to
// the width of a bucket; 0 when there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := uint64(q * float64(h.count))
	rank = min(rank, h.count-1)
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen > rank {
			return min(time.Duration(middleOf(i)), h.max)
		}
	}
	return h.max
}

func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-precision-1, 0)
	return min(shift<<precision+int(v>>shift), buckets-1)
}

// middleOf is the value in the middle of a bucket.
func middleOf(i int) uint64 {
	shift := max(i>>precision-1, 0)
	low := uint64(i-shift<<precision) << shift
	return low + uint64(1)<<shift/2
}
