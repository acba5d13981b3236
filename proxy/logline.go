package proxy

import (
	"bytes"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"upfront/proxy/http1"
)

// lineStart is what the lines of one second begin with, rendered once for all of
// them. Immutable.
type lineStart struct {
	second int64 // Unix
	text   string
	zone   string
}

// start returns the beginning of the lines of now's second.
func (l *AccessLog) start(now time.Time) *lineStart {
	start := l.second.Load()
	if start == nil || start.second != now.Unix() {
		start = &lineStart{
			second: now.Unix(),
			text:   `{"level":"INFO","time":"` + now.Format("2006-01-02T15:04:05"),
			zone:   now.Format("Z07:00") + `","msg":"Request"`,
		}
		l.second.Store(start)
	}
	return start
}

// appendLine appends the line of x, which ended now, while the bytes of its
// request are still there. The keys and their order are a promise
// (docs/operations.md).
func (l *AccessLog) appendLine(b []byte, x *exchange, now time.Time) []byte {
	c, req := x.c, &x.c.req
	seen := x.headersOfNote()
	start := l.start(now)
	b = appendFraction(append(b, start.text...), now.Nanosecond())
	b = append(b, start.zone...)
	b = appendJSON(append(b, `,"host":"`...), text(withoutPort(req.Host)))
	b = append(append(b, `","port":"`...), c.port...)
	b = appendJSON(append(b, `","path":"`...), text(req.Path))
	b = append(append(b, `","request_id":"`...), x.id.bytes()...) // needs no escape, see accept
	b = strconv.AppendInt(append(b, `","status":`...), int64(x.status), 10)
	b = appendJSON(append(b, `,"service":"`...), x.serviceName())
	b = appendJSON(append(b, `","target":"`...), x.lastAddress())
	b = strconv.AppendInt(append(b, `","duration":`...), int64(now.Sub(x.start)), 10)
	b = appendJSON(append(b, `,"method":"`...), text(req.Method))
	b = strconv.AppendInt(append(b, `","req_content_length":`...), max(req.ContentLength(), 0), 10)
	b = appendJSON(append(b, `,"req_content_type":"`...), seen.requestType)
	b = strconv.AppendInt(append(b, `","resp_content_length":`...), x.sent, 10)
	b = appendJSON(append(b, `,"resp_content_type":"`...), seen.responseType)
	b = appendAddr(append(b, `","client_addr":"`...), c.addr.Addr())
	b = strconv.AppendInt(append(b, `","client_port":"`...), int64(c.addr.Port()), 10)
	b = appendAddr(append(b, `","remote_addr":"`...), x.remoteAddr())
	b = appendJSON(append(b, `","user_agent":"`...), seen.userAgent)
	b = append(append(b, `","proto":"`...), c.proto()...)
	b = append(append(b, `","scheme":"`...), c.scheme()...)
	b = appendJSON(append(b, `","query":"`...), query(req))
	if x.svc != nil {
		b = x.appendLogged(b)
	}
	if x.err != nil {
		b = appendJSON(append(b, `","error":"`...), x.err.Error())
	}
	return append(b, "\"}\n"...)
}

// proto is the version that the client speaks.
func (c *client) proto() string {
	if c.version != "" {
		return c.version
	}
	return protos[c.req.Minor]
}

var protos = [...]string{"HTTP/1.0", "HTTP/1.1"}

func (x *exchange) serviceName() string {
	if x.svc == nil {
		return ""
	}
	return x.svc.Name
}

func (x *exchange) lastAddress() string {
	if x.last == nil {
		return ""
	}
	return x.last.Address()
}

func query(req *http1.Request) string {
	if len(req.Path) == 0 || len(req.Target) <= len(req.Path) {
		return ""
	}
	return text(req.Target[len(req.Path)+1:])
}

// appendFraction appends the fraction of a second as RFC 3339 has it, without the
// zeros at its end; nothing when there is none.
func appendFraction(b []byte, nanoseconds int) []byte {
	if nanoseconds == 0 {
		return b
	}
	var digits [10]byte
	last := 0
	for i := 9; i > 0; i-- {
		digit := byte(nanoseconds % 10)
		nanoseconds /= 10
		digits[i] = '0' + digit
		if last == 0 && digit != 0 {
			last = i
		}
	}
	digits[0] = '.'
	return append(b, digits[:last+1]...)
}

// appendAddr appends an address as it stands between quotes. A zone is whatever
// somebody wrote.
func appendAddr(b []byte, addr netip.Addr) []byte {
	if !addr.IsValid() || addr.Zone() != "" {
		return appendJSON(b, addr.String())
	}
	return addr.AppendTo(b)
}

// withoutPort is what net.SplitHostPort says is the host, or all of it where that
// refuses: it allocates its refusal, and most hosts have no port.
func withoutPort(host []byte) []byte {
	colon := bytes.LastIndexByte(host, ':')
	if colon < 0 {
		return host
	}
	name := host[:colon]
	if host[0] == '[' {
		if host[colon-1] != ']' {
			return host
		}
		name = host[1 : colon-1]
	} else if bytes.IndexByte(name, ':') >= 0 {
		return host
	}
	if bytes.ContainsAny(name, "[]") || bytes.ContainsAny(host[colon:], "[]") {
		return host
	}
	return name
}

// text is b as a string without a copy; it must not outlive b.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
