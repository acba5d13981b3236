package balancer

// Transport carries exchanges to one target; whoever makes targets supplies it
// (proxy does). The balancer only ends it.
type Transport interface {
	// Cut ends every exchange and tunnel that is still under way and returns
	// how many there were. It does not wait for them to be released, and the
	// transport stays usable.
	Cut() int
	// Close closes the idle connections; in-use ones are closed when given back.
	Close()
}
