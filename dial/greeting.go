package dial

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// greeting is a connection whose peer has to begin with the SETTINGS of HTTP/2 (RFC
// 9113 §3.4). What they say is known before anybody reads on, so that no stream is
// opened that the peer would have to refuse.
type greeting struct {
	net.Conn
	begun sync.Once
	said  chan struct{} // closed when the peer has said something

	seen    []byte // of the peer's first bytes; owner: who reads; nil once they are judged
	judged  bool   // owner: who reads
	streams int    // valid once said is closed; how many streams the peer takes at once, 0 when it has not said
	err     error  // valid once said is closed; why it is no HTTP/2
}

const (
	frameHead      = 9
	frameSettings  = 4
	settingStreams = 3 // SETTINGS_MAX_CONCURRENT_STREAMS
	mostSettings   = 4 << 10
	settingSize    = 6
	anyStreams     = 1 << 20
)

func greet(conn net.Conn) *greeting { return &greeting{Conn: conn, said: make(chan struct{})} }

func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.judged {
		return n, err
	}
	g.seen = append(g.seen, p[:n]...)
	if done, bad := g.judge(); bad != nil {
		g.close(bad)
		return 0, bad
	} else if done {
		g.close(nil)
	}
	if err != nil && !g.judged {
		cause := plainCause(err)
		if err == io.EOF {
			cause = &Error{text: "it closed the connection before its first HTTP/2 frame", err: err}
		}
		g.close(cause)
	}
	return n, err
}

func (g *greeting) close(err error) {
	g.judged, g.seen = true, nil
	g.begun.Do(func() {
		g.err = err
		close(g.said)
	})
}

// judge reads the first frame, as far as it has come.
func (g *greeting) judge() (done bool, err error) {
	b := g.seen
	// An answer in HTTP/1 is what a target that speaks nothing else has to say.
	if len(b) >= 5 && string(b[:5]) == "HTTP/" {
		return false, &Error{text: "it does not speak HTTP/2: write the target as HOST:PORT or https://"}
	}
	if len(b) < frameHead {
		return false, nil
	}
	length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if b[3] != frameSettings || b[4]&1 != 0 || length > mostSettings || length%settingSize != 0 {
		return false, &Error{text: "it does not speak HTTP/2"}
	}
	if len(b) < frameHead+length {
		return false, nil
	}
	for entry := b[frameHead : frameHead+length]; len(entry) > 0; entry = entry[settingSize:] {
		if binary.BigEndian.Uint16(entry) == settingStreams {
			g.streams = int(min(binary.BigEndian.Uint32(entry[2:]), anyStreams))
			if g.streams == 0 {
				g.streams = -1 // none at all, for now
			}
		}
	}
	return true, nil
}
