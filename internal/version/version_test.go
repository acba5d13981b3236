package version

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	build := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	tests := []struct {
		name   string
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"linker wins", "v1.2.3", build("v9.9.9", revision), "v1.2.3"},
		{"module version", "dev", build("v0.4.0"), "v0.4.0"},
		{"commit", "dev", build("(devel)", revision), "dev-0123456789ab"},
		{"modified", "dev", build("(devel)", revision, modified), "dev-0123456789ab-modified"},
		{"nothing known", "dev", build(""), "dev"},
		{"no build info", "dev", nil, "dev"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := describe(tt.linked, tt.info); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
