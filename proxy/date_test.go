package proxy

import (
	"net/http"
	"testing"
	"time"
)

func TestServer_RFC9110_6_6_1_addsTheDateThatATargetLeftOut(t *testing.T) {
	const sent = "Sun, 06 Nov 1994 08:49:37 GMT"
	for _, c := range []struct{ name, answer, want string }{
		{"none", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"none in a 304", "HTTP/1.1 304 Not Modified\r\n\r\n", ""},
		{"its own", "HTTP/1.1 200 OK\r\nDATE: " + sent + "\r\nContent-Length: 0\r\n\r\n", sent},
		{"one that it wants cut", "HTTP/1.1 200 OK\r\nDate: " + sent + "\r\nConnection: date\r\nContent-Length: 0\r\n\r\n", sent},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Settings{}, newService(answering(t, c.answer).addr))
			w := r.wire()
			before := time.Now().Truncate(time.Second)
			w.send(plainGET)
			res, _ := w.receive("GET")
			got := res.Header.Values("Date")
			if len(got) != 1 || c.want != "" && got[0] != c.want {
				t.Fatalf("got Date %q, want one, %q", got, c.want)
			}
			at, err := http.ParseTime(got[0])
			if err != nil || c.want == "" && (at.Before(before) || at.After(time.Now())) {
				t.Errorf("got %q and %v, want the time between %v and now", got[0], err, before)
			}
		})
	}
}

func TestServer_appendDate_followsTheClock(t *testing.T) {
	s := New(Options{})
	now := time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{now, "Date: Fri, 02 Jan 2026 03:04:05 GMT\r\n"},
		{now.Add(time.Second), "Date: Fri, 02 Jan 2026 03:04:06 GMT\r\n"},
		{now.In(time.FixedZone("", 3600)), "Date: Fri, 02 Jan 2026 03:04:05 GMT\r\n"},
	} {
		if got := string(s.appendDate(nil, c.at)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
