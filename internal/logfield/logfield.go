// Package logfield is the dictionary of the keys that log lines use, so that one
// thing has one name in every line of every package.
package logfield

import (
	"time"

	"go.uber.org/zap"
)

// Service names the service that a line is about.
func Service(name string) zap.Field { return zap.String("service", name) }

// Target is the address of the target that a line is about.
func Target(address string) zap.Field { return zap.String("target", address) }

// Host is the hostname that a client asked for.
func Host(host string) zap.Field { return zap.String("host", host) }

// Path is the path of a request, or of a file.
func Path(path string) zap.Field { return zap.String("path", path) }

// Method is the method of a request.
func Method(method string) zap.Field { return zap.String("method", method) }

// Status is the status of an answer.
func Status(code int) zap.Field { return zap.Int("status", code) }

// Duration is how long something took.
func Duration(d time.Duration) zap.Field { return zap.Duration("duration", d) }

// RequestID is the X-Request-Id of a request.
func RequestID(id string) zap.Field { return zap.String("request_id", id) }

// Attempt counts the tries of one request, from 1.
func Attempt(n int) zap.Field { return zap.Int("attempt", n) }

// State is what something became.
func State(state string) zap.Field { return zap.String("state", state) }

// PreviousState is what something was before.
func PreviousState(state string) zap.Field { return zap.String("previous_state", state) }

// Reason is why something happened, in words.
func Reason(reason string) zap.Field { return zap.String("reason", reason) }

// Error is the error that a line reports.
func Error(err error) zap.Field { return zap.NamedError("error", err) }
