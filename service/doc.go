// Package service holds what is deployed: services with their routes, targets
// and gate, and the calls that change them. A change never edits a live value:
// it builds a new one and publishes it with one pointer store.
package service
