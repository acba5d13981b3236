package balancer

import (
	"context"
	"errors"
	"time"

	"upfront/health"
)

// SKELETON: signatures that other packages compile against.

// ErrNoTarget: no target of the pool is available.
var ErrNoTarget = errors.New("no target available")

// Transport carries exchanges to one target; whoever makes targets supplies it
// (proxy does). The balancer only ends it.
type Transport interface {
	// Cut ends every exchange and tunnel that is still under way and returns
	// how many there were.
	Cut() int
	// Close closes the idle connections; in-use ones are closed when given back.
	Close()
}

type TargetOptions struct {
	Address     string
	Weight      int // default 1
	MaxInFlight int // 0: no limit
	SlowStart   time.Duration
	Health      health.Status // before the first verdict
	Transport   Transport     // may be nil in tests
	// PassiveFailures in a row that make OnSuspect be called. Default 3.
	PassiveFailures int
	OnSuspect       func(reason string)
}

type Target struct{}

func NewTarget(o TargetOptions) *Target     { return nil }
func (t *Target) Address() string           { return "" }
func (t *Target) Weight() int               { return 1 }
func (t *Target) Transport() Transport      { return nil }
func (t *Target) Health() health.Status     { return 0 }
func (t *Target) SetHealth(s health.Status) {}
func (t *Target) Draining() bool            { return false }
func (t *Target) Full() bool                { return false }
func (t *Target) InFlight() int64           { return 0 }

// Release gives back what Pool.Acquire counted. Exactly once for each Acquire.
func (t *Target) Release() {}

// Succeeded and Failed report how an exchange ended, as passive evidence. Failed
// is for connect failures, resets and missing answers, never for an answer's
// status.
func (t *Target) Succeeded()           {}
func (t *Target) Failed(reason string) {}

// Drain asks the target to take no new requests and waits until it is empty or
// ctx ends; then it cuts what is left and waits for it to be released (bounded).
// It returns how many exchanges were cut. Idempotent; concurrent calls all wait.
func (t *Target) Drain(ctx context.Context) (cut int) { return 0 }

// Undrain lets a draining target take requests again.
func (t *Target) Undrain() {}

// WaitIdle waits until nothing is in flight or ctx ends, without asking the target
// to take no new requests (the gate does that for pause and stop). It reports
// whether the target became empty.
func (t *Target) WaitIdle(ctx context.Context) bool { return true }

type PoolOptions struct {
	Policy   string // "round_robin" (default), "least_connections", "two_choices"
	FailOpen bool
}

// Pool is an immutable list of targets and the policy that chooses among them.
type Pool struct{}

func NewPool(targets []*Target, o PoolOptions) *Pool { return nil }
func (p *Pool) Targets() []*Target                   { return nil }

// Acquire chooses an available target that is not in tried, counts the request
// on it and returns it; the caller must Release it. ErrNoTarget when there is none.
// It never allocates.
func (p *Pool) Acquire(tried []*Target) (*Target, error) { return nil, ErrNoTarget }
