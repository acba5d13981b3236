package api

import (
	"slices"
	"strings"
	"testing"
)

func TestDefaultSocket(t *testing.T) {
	const system = "/run/upfront/control.sock"
	tests := []struct {
		name    string
		env     []string
		uid     int
		present []string // the files that can be seen, and "w:" the folders that can be written
		want    string
	}{
		{"variable wins", []string{"UPFRONT_SOCKET=/x.sock"}, 0, []string{system}, "/x.sock"},
		{"empty variable is none", []string{"UPFRONT_SOCKET="}, 0, nil, system},
		{"root", nil, 0, nil, system},
		{"root ignores its session", []string{"XDG_RUNTIME_DIR=/run/user/0"}, 0, nil, system},
		{"user, proxyd of the machine", []string{"XDG_RUNTIME_DIR=/run/user/7"}, 7, []string{system}, system},
		{"user, folder made for it", []string{"XDG_RUNTIME_DIR=/run/user/7"}, 7, []string{"w:/run/upfront"}, system},
		{"user, no proxyd of the machine", []string{"XDG_RUNTIME_DIR=/run/user/7"}, 7, nil, "/run/user/7/upfront/control.sock"},
		{"user without a session", nil, 7, nil, "/tmp/upfront-7/control.sock"},
		{"empty session is none", []string{"XDG_RUNTIME_DIR="}, 7, nil, "/tmp/upfront-7/control.sock"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := socketRules{
				env: func(name string) string {
					for _, pair := range tt.env {
						if key, value, _ := strings.Cut(pair, "="); key == name {
							return value
						}
					}
					return ""
				},
				system:  system,
				temp:    "/tmp",
				uid:     tt.uid,
				exists:  func(path string) bool { return slices.Contains(tt.present, path) },
				canMake: func(folder string) bool { return slices.Contains(tt.present, "w:"+folder) },
			}.choose()
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDefaultSocket_readsTheEnvironment(t *testing.T) {
	t.Setenv(SocketVariable, "/somewhere/else.sock")
	if got := DefaultSocket(); got != "/somewhere/else.sock" {
		t.Errorf("got %q", got)
	}
	if got := (&Client{}).path(); got != "/somewhere/else.sock" {
		t.Errorf("client: got %q", got)
	}
}
