package machine

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat_copesWithAnyName(t *testing.T) {
	text := "12 (a) b (c) S 1 12 12 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 99 0 0"
	got, err := parseStat(text)
	want := process{pid: 12, parent: 1, group: 12, waitedFor: 150 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "12 (a", "12 (a) S 1"} {
		if _, err := parseStat(text); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}

func TestDescendants_findsChildrenAndGroup(t *testing.T) {
	all := []process{
		{pid: 30, parent: 20, group: 30},
		{pid: 10, parent: 1, group: 10},
		{pid: 20, parent: 10, group: 20},
		{pid: 40, parent: 1, group: 10},
		{pid: 50, parent: 1, group: 50},
	}
	var got []int
	for _, p := range descendants(all, 10) {
		got = append(got, p.pid)
	}
	if want := []int{30, 10, 20, 40}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := descendants(all, 99); len(got) > 0 {
		t.Errorf("gone: got %v, want none", got)
	}
}

func TestCPU_countsChildren(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; read x")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	out.Read(make([]byte, 5))
	got, err := CPU(cmd.Process.Pid)
	if err != nil || got <= 0 || got > time.Minute {
		t.Errorf("got %v, %v, want some", got, err)
	}
	if all, err := CPU(os.Getpid()); err != nil || all <= got {
		t.Errorf("of the parent: got %v, %v, want more than %v", all, err, got)
	}
	if kb, err := MemoryKB(cmd.Process.Pid); err != nil || kb <= 0 {
		t.Errorf("memory: got %d, %v, want some", kb, err)
	}
}

func TestEndDescendants_killsGrandchildren(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	// Its output ends with the last process that has it.
	cmd := exec.Command("sh", "-c", "sh -c 'echo up; sleep 600; sleep 600' & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 3))
	EndDescendants(os.Getpid())
	if _, err := io.ReadAll(out); err != nil {
		t.Error(err)
	}
	cmd.Wait()
}

func TestParseBusy(t *testing.T) {
	busy, stolen, err := parseBusy("cpu  1 2 3 1000 1000 4 5 6 0 0\ncpu0 1\n")
	if err != nil || busy != 150*time.Millisecond || stolen != 60*time.Millisecond {
		t.Errorf("got %v, %v, %v, want 150ms, 60ms", busy, stolen, err)
	}
	if _, _, err := parseBusy("what"); err == nil {
		t.Error("no such line: got no error")
	}
}

func TestUsage_Disturbed(t *testing.T) {
	for _, test := range []struct {
		name string
		in   Usage
		want string
	}{
		{"quiet", Usage{Elapsed: time.Second, Others: 50 * time.Millisecond}, ""},
		{"others", Usage{Elapsed: time.Second, Others: 200 * time.Millisecond}, "other processes took 20 %"},
		{"stolen", Usage{Elapsed: time.Second, Stolen: 50 * time.Millisecond}, "the hypervisor took 5 %"},
	} {
		if got := test.in.Disturbed(); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestSample_Since_leavesOthers(t *testing.T) {
	before := Sample{Proxy: 1, Target: 2, Own: 3, Busy: 100}
	after := Sample{Proxy: 11, Target: 22, Own: 33, Busy: 200}
	got := after.Since(before)
	if want := (Usage{Proxy: 10, Target: 20, Load: 30, Others: 40}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCheckPort_refusesATakenOne(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, _ := ln.Addr().(*net.TCPAddr)
	if err := checkPort(address.Port); err == nil || !strings.Contains(err.Error(), "--port") {
		t.Errorf("taken: got %v, want an error that names --port", err)
	}
	ln.Close()
	if err := checkPort(address.Port); err != nil {
		t.Errorf("free: got %v", err)
	}
}

func TestDockerRuns(t *testing.T) {
	proc := t.TempDir()
	if dockerRuns(proc, filepath.Join(proc, "none.sock")) {
		t.Error("nothing there: got true")
	}
	os.Mkdir(filepath.Join(proc, "7"), 0o700)
	os.WriteFile(filepath.Join(proc, "7", "comm"), []byte("dockerd\n"), 0o600)
	if !dockerRuns(proc) {
		t.Error("process: got false")
	}
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if !dockerRuns(t.TempDir(), socket) {
		t.Error("socket: got false")
	}
}

func TestDescribe_saysWhatIsThere(t *testing.T) {
	a := Describe()
	if a.Cores < 1 || a.Commit == "" || a.Go == "" {
		t.Errorf("got %+v", a)
	}
}
