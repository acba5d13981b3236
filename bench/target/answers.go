package target

import (
	"strconv"
	"strings"
	"time"

	"upfront/bench/wire"
)

const (
	smallBody = 130
	body20K   = 20 << 10
	// Body1M is how many bytes /1m has.
	Body1M = 1 << 20

	// EventSize is how many bytes an event has.
	EventSize = 128
	// EventMark is what an event begins with; 19 digits of Unix nanoseconds follow.
	EventMark = "data: "
)

// answers are the bytes of each answer, made anew when the Date changes.
type answers struct {
	second int64
	small  []byte
	k20    []byte
	head1M []byte
	file   int // the megabyte
}

func newAnswers() (*answers, error) {
	file, err := wire.MemoryFile(Body1M)
	return &answers{file: file}, err
}

// refresh puts the current date into the answers.
func (a *answers) refresh(now time.Time) {
	if now.Unix() == a.second {
		return
	}
	a.second = now.Unix()
	a.small = append(head(now, smallBody), body(smallBody)...)
	a.k20 = append(head(now, body20K), body(body20K)...)
	a.head1M = head(now, Body1M)
}

func head(now time.Time, length int) []byte {
	return []byte("HTTP/1.1 200 OK\r\nServer: app\r\nDate: " + now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") +
		"\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: " + strconv.Itoa(length) +
		"\r\nX-App: bench\r\nCache-Control: no-cache\r\n\r\n")
}

func body(n int) string { return strings.Repeat("0123456789abcdef", n/16+1)[:n] }

func switching(key string) []byte {
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptKey(key) + "\r\n\r\n")
}

// eventsHead opens a stream; nginx takes the last line as a wish not to gather it.
const eventsHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n" +
	"Transfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n"

// event is one chunk that holds one event.
func event(due time.Time) []byte {
	stamp := strconv.FormatInt(due.UnixNano(), 10)
	text := EventMark + stamp + " " + body(EventSize-len(EventMark)-len(stamp)-3) + "\n\n"
	return []byte(strconv.FormatInt(EventSize, 16) + "\r\n" + text + "\r\n")
}
