package proxy

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// withoutDescriptors takes all that are left until the test ends.
func withoutDescriptors(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = uint64(descriptors(t)) + 16 // so that it is quick
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var taken []*os.File
	t.Cleanup(func() {
		for _, f := range taken {
			_ = f.Close()
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	for {
		f, err := os.Open("/dev/null")
		if scarce(err) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
}

func TestServer_makesRoomForAConnectionToATarget(t *testing.T) {
	for _, what := range []string{"a kept connection to a target", "an idle client", "nothing"} {
		t.Run(what, func(t *testing.T) {
			// Whatever the target accepts takes a descriptor of this process, too: it
			// refuses, which is an answer of the target and not for want of ours.
			kept, dead := newService(answering(t, ok("x")).addr), newService(deadAddress)
			r := newRigOf(t, Settings{}, kept, byPath{"/kept": kept, "/dead": dead})
			defer r.settle(dead)
			w, idle := r.wire(), r.wire()
			if what == "a kept connection to a target" {
				w.send("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n")
				w.receive("GET")
			}
			eventually(t, "the other client idles for long enough", func() bool {
				n := 0
				r.server.each(func(c *client) {
					if since := c.idleSince.Load(); since > 0 && time.Since(time.Unix(0, since)) > hot {
						n++
					}
				})
				return n == 2
			})
			if what == "nothing" {
				_ = idle.Close()
				eventually(t, "it has gone", func() bool { return r.server.Counters()["upfront_connections"] == 1 })
			}
			withoutDescriptors(t)
			w.send("GET /dead HTTP/1.1\r\nHost: a\r\n\r\n")
			want := 502
			if what == "nothing" {
				want = 503
			}
			if res, _ := w.receive("GET"); res.StatusCode != want {
				t.Errorf("got %d, want %d", res.StatusCode, want)
			}
			if what == "an idle client" {
				idle.ends(true)
			}
		})
	}
}
