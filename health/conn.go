package health

import (
	"net"
	"time"
)

// probeConn is the connection of one probe. It remembers what happened on it,
// which the client's errors no longer tell, and ends the probe at the first byte
// that no HTTP answer starts with.
type probeConn struct {
	net.Conn
	wrote bool   // something was written
	asked bool   // the request was sent: it is not sent again
	again []byte // was read, and is to be read again
	got   int    // bytes read
	err   error  // first error of a read
}

// answerStart is how every HTTP/1 answer starts.
const answerStart = "HTTP/1."

func (c *probeConn) Read(p []byte) (int, error) {
	if len(c.again) > 0 {
		n := copy(p, c.again)
		c.again = c.again[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	for i := 0; i < n && c.got+i < len(answerStart); i++ {
		if p[i] != answerStart[c.got+i] {
			n, err = 0, errNotHTTP
			// 0x15 is a TLS alert, what plain text gets from a TLS port.
			if c.got+i == 0 && p[0] == 0x15 {
				err = errTLS
			}
			break
		}
	}
	c.got += n
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// Write never fails: a target may answer and close before it reads the request,
// and that answer counts. When there is none, the read says why.
func (c *probeConn) Write(p []byte) (int, error) {
	c.wrote = true
	if !c.asked {
		_, _ = c.Conn.Write(p)
	}
	return len(p), nil
}

// SetDeadline does nothing: the deadline of a probe is its context's.
func (c *probeConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing either.
func (c *probeConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing either.
func (c *probeConn) SetWriteDeadline(time.Time) error { return nil }
