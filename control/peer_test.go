package control

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"upfront/api"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestPeer_allowed(t *testing.T) {
	tests := []struct {
		name string
		peer peer
		gid  int
		want bool
	}{
		{"root", peer{uid: 0}, noGroup, true},
		{"own user", peer{uid: 1001, groups: []int{1001}}, noGroup, true},
		{"other user", peer{uid: 1002, groups: []int{1002}}, noGroup, false},
		{"other user in group 0, no group configured", peer{uid: 1002, groups: []int{0}}, noGroup, false},
		{"primary group", peer{uid: 1002, groups: []int{50}}, 50, true},
		{"supplementary group", peer{uid: 1002, groups: []int{1002, 50}}, 50, true},
		{"other group", peer{uid: 1002, groups: []int{1002, 51}}, 50, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.peer.allowed(1001, tt.gid); (err == nil) != tt.want {
				t.Errorf("got %v, want allowed %v", err, tt.want)
			}
		})
	}
}

func TestLookupGroup(t *testing.T) {
	if gid, err := lookupGroup(""); err != nil || gid != noGroup {
		t.Errorf("none: got %d, %v", gid, err)
	}
	if gid, err := lookupGroup("123"); err != nil || gid != 123 {
		t.Errorf("number: got %d, %v", gid, err)
	}
}

// The uid and groups of the helper process: none that a machine gives to anybody.
const (
	otherUID   = 54321
	otherGID   = 54322
	otherExtra = 54323
)

// connectAsHelper is the helper process: it makes one call and prints the answer.
func connectAsHelper(socket string, out io.Writer) int {
	s := &running{socket: socket}
	resp, err := s.open(context.Background(), "GET", api.PathVersion, nil)
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Fprintf(out, "%d %s", resp.StatusCode, body)
	return 0
}

func TestServer_refusesAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: only root can start a process of another user")
	}
	tests := []struct {
		name, group, want string
	}{
		{"no group", "", "403 "},
		{"another group", "54399", "403 "},
		{"its primary group", itoa(otherGID), "200 "},
		{"its supplementary group", itoa(otherExtra), "200 "},
	}
	program := copyOfThisProgram(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := shortDir(t)
			ln, err := Listen(SocketOptions{Path: filepath.Join(folder, "control.sock"), Group: tt.group})
			if err != nil {
				t.Fatal(err)
			}
			// Wider than Listen ever makes it, so that only the check is in the way.
			mustChmod(t, folder, 0o755)
			mustChmod(t, ln.Path(), 0o666)
			ctx, cancel := context.WithCancel(t.Context())
			s := New(Options{Registry: &fakeRegistry{}, Daemon: fakeDaemon{}})
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(ctx, ln) }()
			got := runAsAnotherUser(t, program, ln.Path())
			cancel()
			waitFor(t, "end of Serve", ended)
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q…", got, tt.want)
			}
			if tt.want == "403 " && !strings.Contains(got, `"denied"`) {
				t.Errorf("got %q, want the code denied", got)
			}
		})
	}
}

func runAsAnotherUser(t *testing.T, program, socket string) string {
	t.Helper()
	helper := exec.Command(program)
	helper.Env = append(os.Environ(), "CONTROL_TEST_CONNECT="+socket, "GORACE=atexit_sleep_ms=0")
	helper.Dir = "/"
	helper.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
		Uid: otherUID, Gid: otherGID, Groups: []uint32{otherExtra},
	}}
	out, err := helper.CombinedOutput()
	if err != nil {
		t.Fatalf("helper: %v: %s", err, out)
	}
	return string(out)
}

// copyOfThisProgram is somewhere that another user may run it from.
func copyOfThisProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	folder := shortDir(t)
	mustChmod(t, folder, 0o755)
	program := filepath.Join(folder, "helper")
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	mustChmod(t, program, 0o755)
	return program
}

func mustChmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
