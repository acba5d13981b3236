package health

import (
	"errors"
	"fmt"
	"testing"
)

func TestResult_String(t *testing.T) {
	many := map[string]string{"z": "false"}
	for i := range 9 {
		many[fmt.Sprintf("c%d", i)] = "true"
	}
	tests := []struct {
		name string
		in   Result
		want string
	}{
		{"zero", Result{}, "not probed yet"},
		{"good", Result{OK: true, Path: "/up", Code: 200}, "GET /up: 200"},
		{"good, with good checks", Result{OK: true, Path: "/up", Code: 200, Checks: map[string]string{"db": "ok"}}, "GET /up: 200"},
		{"good, with a failed check", Result{OK: true, Path: "/up", Code: 200, Checks: map[string]string{"a": "ok", "db": "false"}}, "GET /up: 200, checks: db=false, a=ok"},
		{"status", Result{Path: "/up", Code: 404, Err: &statusError{404, 200, 299}}, "GET /up: 404 (expected 200-299)"},
		{"one status", Result{Path: "/up", Code: 204, Err: &statusError{204, 200, 200}}, "GET /up: 204 (expected 200)"},
		{"checks", Result{Path: "/up", Code: 503, Err: &statusError{503, 200, 299}, Checks: map[string]string{"database": "false"}}, "GET /up: 503, checks: database=false"},
		{"failed checks first", Result{Path: "/up", Code: 503, Checks: map[string]string{"a": "true", "redis": "down", "db": "false"}}, "GET /up: 503, checks: db=false, redis=down, a=true"},
		{"many checks", Result{Path: "/up", Code: 503, Checks: many}, "GET /up: 503, checks: z=false, c0=true, c1=true, c2=true, c3=true, c4=true and 4 more"},
		{"error", Result{Path: "/up", Err: errors.New("connection refused")}, "GET /up: connection refused"},
		{"no answer", Result{Path: "/up"}, "GET /up: no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
