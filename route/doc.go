// Package route finds what a host and a path belong to, in an immutable table
// that readers use without locks.
package route
