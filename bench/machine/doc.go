// Package machine is what the bench asks of the computer it runs on: whether it can
// give fair figures, what it is, and what the kernel charged to whom.
package machine
