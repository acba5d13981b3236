package logfield

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"
)

// The keys are what dashboards and alerts search for.
func TestKeys(t *testing.T) {
	for want, field := range map[string]zap.Field{
		"service": Service("a"), "target": Target("a"), "host": Host("a"), "path": Path("a"),
		"method": Method("a"), "status": Status(1), "duration": Duration(time.Second),
		"request_id": RequestID("a"), "attempt": Attempt(1), "state": State("a"),
		"previous_state": PreviousState("a"), "reason": Reason("a"), "error": Error(errors.New("a")),
	} {
		if field.Key != want {
			t.Errorf("key: got %q, want %q", field.Key, want)
		}
	}
}
