package balancer

import (
	"sync"
	"sync/atomic"
	"time"

	"upfront/health"
)

// maxWeight bounds a target's weight, so that sums and products of weights and
// counts stay far from overflow.
const maxWeight = 1 << 16

// TargetOptions is what a target is made of. Zero fields mean the default named
// beside them.
type TargetOptions struct {
	// Address of the target as host:port. Resolved by the transport, not here.
	Address string
	// Weight is the target's share beside the others. Default 1; at most 65536,
	// more counts as that.
	Weight int
	// MaxInFlight is how many requests the target may have at once before it is
	// full. Zero or negative is no limit.
	MaxInFlight int
	// SlowStart is how long a target that became healthy takes to reach its full
	// share. Zero or negative is off.
	SlowStart time.Duration
	// Health before the first verdict. A target that begins as Healthy does not
	// slow-start. Default health.Starting.
	Health health.Status
	// Transport carries the exchanges; the target closes it in Close. May be nil
	// in tests.
	Transport Transport
	// PassiveFailures in a row that make OnSuspect be called. Default 3; negative
	// is off.
	PassiveFailures int
	// OnSuspect is told, once in each run of failures, why the target looks
	// unwell. It is called on the goroutine of the request and must not block.
	// May be nil.
	OnSuspect func(reason string)
}

func (o TargetOptions) withDefaults() TargetOptions {
	o.Weight = min(max(o.Weight, 1), maxWeight)
	o.MaxInFlight = max(o.MaxInFlight, 0)
	o.SlowStart = max(o.SlowStart, 0)
	if o.PassiveFailures == 0 {
		o.PassiveFailures = 3
	}
	return o
}

// Target is one instance of a service: its address, how many requests it has in
// flight, and three independent facts about it: health (observed), draining
// (asked) and full (load). It is available when all three allow it. Pools share
// targets, so that counts and facts survive a change of the pool. Safe for
// concurrent use.
type Target struct {
	options TargetOptions // set once in NewTarget
	created time.Time     // set once in NewTarget

	inFlight atomic.Int64 // written by acquire and Release
	waiters  atomic.Int32 // callers of awaitIdle; read by Release at zero
	health   atomic.Int32 // a health.Status; written by SetHealth only
	draining atomic.Bool  // written by Drain and Undrain under admin
	failures atomic.Int32 // failed exchanges in a row, see passive.go
	warming  atomic.Int64 // nanoseconds after created, plus 1; 0 is warm, see slowstart.go

	// admin keeps Undrain from getting between the decision to cut and the cut.
	// Never taken by Release.
	admin     sync.Mutex
	undrained chan struct{} // guarded by admin; closed by Undrain; nil unless draining

	wake sync.Mutex
	idle chan struct{} // guarded by wake; closed when the count reaches zero; nil when nobody waits

	closed sync.Once
}

// NewTarget makes a target that is not draining and has nothing in flight.
func NewTarget(o TargetOptions) *Target {
	t := &Target{options: o.withDefaults(), created: time.Now()}
	t.health.Store(int32(o.Health))
	return t
}

// Address is host:port as it was given.
func (t *Target) Address() string { return t.options.Address }

// Weight is the target's share beside the others, at least 1.
func (t *Target) Weight() int { return t.options.Weight }

// Transport carries exchanges to the target. Nil when it was made without one.
func (t *Target) Transport() Transport { return t.options.Transport }

// Health is the last verdict about the target.
func (t *Target) Health() health.Status { return health.Status(t.health.Load()) }

// SetHealth publishes a verdict. Becoming healthy starts slow start and forgets
// the failures seen so far. One goroutine at a time may call it: the target's
// monitor.
func (t *Target) SetHealth(s health.Status) {
	if s == health.Healthy && t.Health() != health.Healthy {
		// Before the verdict is seen, or the target would take its full share
		// for a moment.
		t.warmUp()
		t.failures.Store(0)
	}
	t.health.Store(int32(s))
}

// Draining reports whether the target was asked to take no new requests.
func (t *Target) Draining() bool { return t.draining.Load() }

// Full reports whether the target has as many requests as it may have.
func (t *Target) Full() bool {
	limit := t.options.MaxInFlight
	return limit > 0 && t.inFlight.Load() >= int64(limit)
}

// InFlight is how many requests are counted on the target. A request that is
// about to be turned away because of Drain is counted for an instant.
func (t *Target) InFlight() int64 { return t.inFlight.Load() }

// Release gives back what Pool.Acquire counted. Exactly once for each Acquire.
func (t *Target) Release() {
	left := t.inFlight.Add(-1)
	if left == 0 && t.waiters.Load() > 0 {
		t.wakeIdle()
	}
	if left < 0 {
		panic("BUG: target " + t.options.Address + " released more often than acquired")
	}
}

// Close closes the transport. For a target that was drained and left every pool;
// it cannot be used again. Idempotent.
func (t *Target) Close() {
	if t.options.Transport != nil {
		t.closed.Do(t.options.Transport.Close)
	}
}

// regard says whether health matters to a choice.
type regard int

const (
	healthyOnly regard = iota
	anyHealth          // fail-open
)

// acquire counts first and checks second, so that Drain never misses a request:
// either Drain sees our count, or we see its flag.
func (t *Target) acquire(r regard) bool {
	if !t.count() {
		return false
	}
	if t.allowed(r) {
		return true
	}
	t.Release()
	return false
}

// count adds a request unless the target is full. With a limit it never counts
// beyond it, not even for an instant: that would make others see it full.
func (t *Target) count() bool {
	limit := int64(t.options.MaxInFlight)
	if limit == 0 {
		t.inFlight.Add(1)
		return true
	}
	for {
		n := t.inFlight.Load()
		if n >= limit {
			return false
		}
		if t.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// allowed reports what health and draining say; full is count's.
func (t *Target) allowed(r regard) bool {
	return !t.draining.Load() && (r == anyHealth || t.Health() == health.Healthy)
}

// available is the look before acquire: all three facts allow a request now.
func (t *Target) available(r regard) bool { return t.allowed(r) && !t.Full() }
