package http1

import "testing"

// A byte that was searched for the end of its line is not searched again: whoever
// sends a long line byte by byte must not cost a search of all of it for each.
func TestHead_Scan_searchesALineOnce(t *testing.T) {
	for _, c := range []struct {
		name, start string
		scan        func() func([]byte) (bool, *Error)
	}{
		{"request line", "GET /long", newRequestScan},
		{"request field", "GET / HTTP/1.1\r\nHost: a\r\nX: long", newRequestScan},
		{"status line", "HTTP/1.1 200 long", newResponseScan},
		{"response field", "HTTP/1.1 200 OK\r\nX: long", newResponseScan},
	} {
		t.Run(c.name, func(t *testing.T) {
			scan := c.scan()
			b := []byte(c.start)
			if done, err := scan(b); done || err != nil {
				t.Fatalf("got %t, %v of an unfinished head", done, err)
			}
			b[len(b)-2] = '\n' // a second search would find it, and refuse the head
			if done, err := scan(append(b, 'x')); done || err != nil {
				t.Errorf("got %t, %v: it was searched again", done, err)
			}
		})
	}
}

func newRequestScan() func([]byte) (bool, *Error) {
	var r Request
	r.Reset()
	return func(b []byte) (bool, *Error) { return r.Scan(b, usual) }
}

func newResponseScan() func([]byte) (bool, *Error) {
	var r Response
	r.Reset()
	return func(b []byte) (bool, *Error) { return r.Scan(b, usual) }
}
