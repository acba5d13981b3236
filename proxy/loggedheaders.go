package proxy

import (
	"upfront/proxy/http1"
	"upfront/service"
)

// appendLogged appends the headers that the service wants in the line, behind a value
// whose quote is still open.
func (x *exchange) appendLogged(b []byte) []byte {
	b = appendHeaders(b, &x.c.req, x.svc.LogRequestHeaders)
	if x.logged == nil { // the answer is not a target's
		return appendHeaders(b, (*http1.Response)(nil), x.svc.LogResponseHeaders)
	}
	return append(b, x.logged...)
}

// noteLogged keeps what appendLogged shows of the response's head.
func (x *exchange) noteLogged() {
	if wanted := x.svc.LogResponseHeaders; len(wanted) > 0 {
		x.logged = appendHeaders(nil, &x.c.res, wanted)
	}
}

// head is a request's or a response's.
type head interface {
	*http1.Request | *http1.Response
	Fields() []http1.Field
	Name(*http1.Field) []byte
	Value(*http1.Field) []byte
}

// appendHeaders appends each of wanted that h, which may be nil, has; "" for those that
// it has not.
func appendHeaders[H head](b []byte, h H, wanted []service.LoggedHeader) []byte {
	for i := range wanted {
		b = append(append(append(b, `","`...), wanted[i].Key...), `":"`...)
		if h == nil {
			continue
		}
		fields, lines := h.Fields(), 0
		for j := range fields {
			if !called(h.Name(&fields[j]), wanted[i].Name) {
				continue
			}
			if lines++; lines > 1 {
				b = append(b, ',')
			}
			b = appendJSON(b, text(h.Value(&fields[j])))
		}
	}
	return b
}
