package health

import (
	"strings"
	"testing"
)

// Scripts: + good probe, - failed probe, ! suspicion; the wanted string has one
// letter for the status after each step.
func TestTracker_scripts(t *testing.T) {
	tests := []struct {
		name              string
		initial           Status
		healthy, attempts int
		script, want      string
	}{
		{"starting stays starting", Starting, 1, 3, "-----", "SSSSS"},
		{"one good probe", Starting, 1, 3, "--+", "SSH"},
		{"threshold in a row", Starting, 3, 3, "++-+++", "SSSSSH"},
		{"attempts in a row", Healthy, 1, 3, "--+---", "HHHHHU"},
		{"one attempt", Healthy, 1, 1, "-+-", "UHU"},
		{"unhealthy needs the threshold", Healthy, 2, 2, "--+-++", "HUUUUH"},
		{"suspicion", Healthy, 1, 3, "!-+", "UUH"},
		{"one good probe answers a suspicion", Healthy, 3, 3, "!+", "UH"},
		{"a failed probe confirms a suspicion", Healthy, 2, 3, "!-++", "UUUH"},
		{"suspicion of a starting target", Starting, 2, 3, "!+!+", "SSSH"},
		{"suspicion of an unhealthy target", Healthy, 2, 1, "-!+!+", "UUUUH"},
		{"suspicion clears the count", Healthy, 1, 3, "--!+--+", "HHUHHHH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTracker(Options{Initial: tt.initial, HealthyThreshold: tt.healthy, MaxAttempts: tt.attempts})
			var got strings.Builder
			for _, step := range tt.script {
				before := tr.status
				var changed bool
				if step == '!' {
					changed = tr.suspect()
				} else {
					changed = tr.observe(step == '+')
				}
				if changed != (before != tr.status) {
					t.Errorf("after %q: changed = %v, status %v to %v", got.String(), changed, before, tr.status)
				}
				got.WriteByte("SHU"[tr.status])
			}
			if got.String() != tt.want {
				t.Errorf("script %s: got %s, want %s", tt.script, got.String(), tt.want)
			}
		})
	}
}
