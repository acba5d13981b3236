package machine

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// About is what a result must say of where it was made.
type About struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Memory  string `json:"memory"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	Commit  string `json:"commit"`            // of the folder that the bench runs in
	Tracked int    `json:"tracked,omitempty"` // connections that the kernel tracks
}

// Describe reads what the machine is.
func Describe() About {
	a := About{CPU: "unknown CPU", Cores: Cores(), Go: runtime.Version(), Commit: commit()}
	if name := firstField("/proc/cpuinfo", "model name"); name != "" {
		a.CPU = name
	}
	if kb, err := strconv.Atoi(strings.TrimSuffix(firstField("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		a.Memory = strconv.Itoa((kb+1<<19)>>20) + " GB"
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	a.Kernel = "Linux " + strings.TrimSpace(string(kernel))
	tracked, _ := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	a.Tracked, _ = strconv.Atoi(strings.TrimSpace(string(tracked)))
	return a
}

// String is the machine in one line.
func (a About) String() string {
	return a.CPU + ", " + strconv.Itoa(a.Cores) + " cores, " + a.Memory + ", " + a.Kernel + ", " + a.Go +
		", commit " + a.Commit
}

// Cores counts the cores of the machine, not those that we are pinned to.
func Cores() (n int) {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if strings.HasPrefix(line, "processor\t") {
			n++
		}
	}
	return max(n, 1)
}

// firstField is the value of the first line "key: value" of a file.
func firstField(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func commit() string {
	hash, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(hash))
	// Results do not make a tree another one.
	if out, err := exec.Command("git", "status", "--porcelain", "--", ".", ":!bench/results").Output(); err != nil || len(out) > 0 {
		name += " with changes"
	}
	return name
}
