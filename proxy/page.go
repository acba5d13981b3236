package proxy

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"upfront/internal/logfield"
	"upfront/page"
	"upfront/service"
)

// page writes the answer to a request that ended in err: the page of the service's
// folder where there is one, else a built-in one, in the form that the client
// would rather read. Who names none gets plain text, which reads well in a terminal
// and in a log; browsers name HTML. Beside a page of a folder it is HTML, as
// kamal-proxy has it.
func (x *exchange) page(err *Error) (page.Form, []byte) {
	content := page.Content{Status: err.Status, RequestID: string(x.id.bytes())}
	if errors.Is(err.Err, errStopped) {
		content.Maintenance, content.Message = true, x.svc.Gate.Message()
	}
	set, first := x.settings.ErrorPages, page.Text
	if x.svc != nil {
		set = x.svc.ErrorPages
	}
	custom := set.Has(err.Status)
	if custom {
		first = page.HTML
	}
	form := x.accepts(first)
	if custom && form == page.HTML {
		body, failed := set.Render(content)
		if failed == nil {
			return form, body
		}
		x.c.server.complainOfPage(failed)
	}
	return form, content.Append(nil, form)
}

// accepts is the form that the client would rather read.
func (x *exchange) accepts(first page.Form) page.Form {
	var accept page.Accept
	req := &x.c.req
	for i := range req.Fields() {
		if f := &req.Fields()[i]; bytes.EqualFold(req.Name(f), acceptName) {
			accept.Add(req.Value(f))
		}
	}
	return accept.Best(first)
}

var acceptName = []byte("accept")

// complainEvery is how often a page that cannot be rendered is worth a line.
const complainEvery = time.Minute

func (s *Server) complainOfPage(err error) {
	if s.complained.due(complainEvery) {
		s.log.Warn("Error page not rendered, built-in one sent", logfield.Error(err))
	}
}

// ownHead is the head of an answer of our own. It does not say what we are.
type ownHead struct {
	status  int
	form    page.Form
	id      string
	retry   bool // the client may try again soon
	minor   int  // version of the request
	closing bool

	location string // of a redirect
	hsts     string
}

// worthRetrying reports whether the client is told to come back: what failed will
// pass, and the request did not reach a target.
func worthRetrying(err *Error) bool {
	return err.Status == 503 || err.Status == 429 || errors.Is(err.Err, service.ErrPauseTimeout)
}

// retryAfter is in seconds. Nobody knows when a service comes back; what matters is
// that those who wait neither hammer nor miss it by much.
const retryAfter = "5"

func (h ownHead) append(b []byte, length int) []byte {
	var head fasthttp.ResponseHeader
	head.SetNoDefaultContentType(true)
	head.SetStatusCode(h.status)
	head.SetStatusMessage([]byte(http.StatusText(h.status)))
	head.SetContentLength(length)
	head.SetContentType(h.form.ContentType())
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Request-Id", h.id)
	if h.location != "" {
		head.Set("Location", h.location)
	}
	if h.hsts != "" {
		head.Set(hstsName, h.hsts)
	}
	if h.retry {
		head.Set("Retry-After", retryAfter)
	}
	switch {
	case h.closing:
		head.SetConnectionClose()
	case h.minor == 0:
		head.Set("Connection", "keep-alive")
	}
	return head.AppendBytes(b)
}
