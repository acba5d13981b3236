package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"upfront/proxy/http1"
)

// page is an answer of our own: an error, or the maintenance page of a stopped
// service. It never says which target was meant, nor what we are.
type page struct {
	status  int
	message string // of whoever stopped the service; may be empty
	id      string
	kind    pageKind
	minor   int // version of the request
}

type pageKind uint8

const (
	pageText pageKind = iota
	pageHTML
	pageJSON
)

func newPage(err *Error, x *exchange) page {
	p := page{status: err.Status, id: string(x.id.bytes()), kind: accepted(&x.c.req), minor: x.c.req.Minor}
	if errors.Is(err.Err, errStopped) {
		p.message = x.svc.Gate.Message()
	}
	return p
}

// accepted chooses the form that the client would rather read: a browser names
// text/html, an API client JSON.
func accepted(req *http1.Request) pageKind {
	for i := range req.Fields() {
		f := &req.Fields()[i]
		if !bytes.EqualFold(req.Name(f), []byte("accept")) {
			continue
		}
		switch value := req.Value(f); {
		case bytes.Contains(value, []byte("text/html")):
			return pageHTML
		case bytes.Contains(value, []byte("json")):
			return pageJSON
		}
	}
	return pageText
}

// The sentences, for people who know nothing of proxies.
var sentences = map[int]string{
	400: "The request could not be understood.",
	404: "There is nothing at this address.",
	405: "This method is not allowed.",
	408: "The request took too long to arrive.",
	413: "The request is too large.",
	414: "The address is too long.",
	429: "There are too many connections from this address.",
	417: "The request expects something that cannot be met.",
	431: "The request's header is too large.",
	500: "Something went wrong.",
	501: "This kind of request is not served.",
	502: "The application did not answer properly.",
	503: "The service is unavailable at the moment. Please try again soon.",
	504: "The application took too long to answer.",
	505: "This version of HTTP is not served.",
}

func (p *page) sentence() string {
	if p.message != "" {
		return p.message
	}
	return sentences[p.status]
}

func (p *page) title() string {
	return strconv.Itoa(p.status) + " " + http.StatusText(p.status)
}

// body renders the page in the form that the client accepts.
func (p *page) body() []byte {
	var b []byte
	switch p.kind {
	case pageHTML:
		b = append(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"+
			"<meta name=\"viewport\" content=\"width=device-width\"><title>"...)
		b = append(b, p.title()...)
		b = append(b, "</title><style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;"+
			"padding:0 1.5rem;color:#222}small{color:#777}</style></head>\n<body><h1>"...)
		b = append(b, p.title()...)
		b = append(b, "</h1><p>"...)
		b = append(b, html.EscapeString(p.sentence())...)
		b = append(b, "</p><p><small>Request "...)
		b = append(b, html.EscapeString(p.id)...)
		b = append(b, "</small></p></body></html>\n"...)
	case pageJSON:
		b = append(b, `{"status":`...)
		b = strconv.AppendInt(b, int64(p.status), 10)
		b = append(b, `,"error":`...)
		b = append(b, quoted(p.sentence())...)
		b = append(b, `,"request_id":`...)
		b = append(b, quoted(p.id)...)
		b = append(b, "}\n"...)
	default:
		b = append(b, p.title()...)
		b = append(b, "\n"...)
		b = append(b, p.sentence()...)
		b = append(b, "\n"...)
	}
	return b
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always has a form
	return b
}

// appendHead writes the head of the page, closing or not.
func (p *page) appendHead(b []byte, length int, closing bool) []byte {
	var h fasthttp.ResponseHeader
	h.SetNoDefaultContentType(true)
	h.SetStatusCode(p.status)
	h.SetStatusMessage([]byte(http.StatusText(p.status)))
	h.SetContentLength(length)
	h.SetContentType([...]string{"text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"}[p.kind])
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", p.id)
	if p.status == 503 || p.status == 429 {
		h.Set("Retry-After", "5")
	}
	switch {
	case closing:
		h.SetConnectionClose()
	case p.minor == 0:
		h.Set("Connection", "keep-alive")
	}
	return h.AppendBytes(b)
}
