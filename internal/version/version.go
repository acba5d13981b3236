// Package version says which build this is. It imports the standard library
// only.
package version

import "runtime/debug"

// Version is set by the linker:
//
//	go build -ldflags "-X upfront/internal/version.Version=v1.2.3"
//
// Without that it stays "dev" and String looks at what Go recorded.
var Version = "dev"

// String is the version for people: what the linker set, else the module's
// version, else "dev" with the commit that was built.
func String() string {
	info, _ := debug.ReadBuildInfo()
	return describe(Version, info)
}

func describe(linked string, info *debug.BuildInfo) string {
	if linked != "dev" || info == nil {
		return linked
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if revision == "" {
		return linked
	}
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if modified {
		revision += "-modified"
	}
	return linked + "-" + revision
}
