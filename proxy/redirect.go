package proxy

import (
	"bytes"
	"errors"
	"strconv"

	"upfront/proxy/http1"
)

// errElsewhere stands for the answer to a request that is to be made at another place:
// x.location.
var errElsewhere = &Error{Op: "redirect", Source: FromProxy, Status: 301, Err: errors.New("client is redirected")}

// elsewhere reports a request that is to come over TLS, or for the canonical host, as
// errElsewhere. Both is one redirect.
func (x *exchange) elsewhere() *Error {
	site, canonical := x.site(), x.svc.CanonicalHost
	if site == nil && canonical == "" {
		return nil
	}
	req := &x.c.req
	host := hostName(req.Host)
	upgrade := site != nil && site.Redirect && !x.secure()
	move := canonical != "" && len(host) > 0 && !bytes.EqualFold(host, []byte(canonical))
	if !upgrade && !move || x.staysHere() {
		return nil
	}
	if move || len(host) == 0 {
		host = []byte(canonical)
	}
	if len(host) == 0 { // HTTP/1.0 names none, and there is none to name
		return &Error{Op: "redirect", Source: FromClient, Status: 403, Err: errNeedsTLS}
	}
	b := make([]byte, 0, len("https://")+len(host)+len(":65535")+len(req.Target)+2)
	if upgrade || x.secure() {
		b = append(b, "https://"...)
	} else {
		b = append(b, "http://"...)
	}
	if bytes.IndexByte(host, ':') >= 0 {
		b = append(append(append(b, '['), host...), ']')
	} else {
		b = append(b, host...)
	}
	if port := x.portThere(upgrade); port != "" {
		b = append(append(b, ':'), port...)
	}
	x.location = string(append(b, req.Target...))
	return errElsewhere
}

// challengePrefix is where HTTP-01 (RFC 8555 §8.3) asks; the answer must come from here.
var challengePrefix = []byte("/.well-known/acme-challenge/")

// staysHere reports whether the request is one that is never redirected: of an ACME
// authority, or a health check of whoever stands in front of us.
func (x *exchange) staysHere() bool {
	req := &x.c.req
	return req.Path[0] == '*' || bytes.HasPrefix(req.Path, challengePrefix) || x.asksHealth()
}

// portThere is the port that a redirect leads to, "" for the scheme's own. A port that
// the client sees and we do not listen on is another's who maps it to ours: then
// nothing is known of the one for https but that it has one.
func (x *exchange) portThere(upgrade bool) string {
	port := hostPort(x.c.req.Host)
	if !upgrade {
		return port
	}
	if port == "" {
		port = "80"
	}
	if port != x.c.port || x.c.listener.httpsPort == 443 {
		return ""
	}
	return strconv.Itoa(x.c.listener.httpsPort)
}

// redirect answers with x.location. Who sent more than a question is to send it again
// as it is (RFC 9110 §15.4.9); others get what all clients know.
func (x *exchange) redirect() {
	status := 308
	if method := string(x.c.req.Method); method == "GET" || method == "HEAD" {
		status = 301
	}
	if !x.up.taken() {
		x.close, x.linger = true, true // the body is for the other place
	}
	x.c.server.counters.Redirects.Add(1)
	// curl takes an answer without a body over HTTP/2, to a request whose body nobody
	// wants, for a broken stream.
	x.answer(ownHead{status: status, location: x.location}, []byte("The page is elsewhere.\n"))
}

// secure reports whether the client speaks TLS: with us, or with a trusted proxy that
// says so.
func (x *exchange) secure() bool {
	if x.c.secure() {
		return true
	}
	if !x.c.trusted {
		return false
	}
	for i := range x.c.req.Fields() {
		if f := &x.c.req.Fields()[i]; f.Kind == http1.ForwardedProto {
			first, _, _ := bytes.Cut(x.c.req.Value(f), []byte{','})
			return bytes.EqualFold(bytes.TrimSpace(first), []byte("https"))
		}
	}
	return false
}

// hostName is a Host without port, brackets and trailing dot; hostPort is its port.
func hostName(host []byte) []byte {
	name, _ := splitHost(host)
	return name
}

func hostPort(host []byte) string {
	_, port := splitHost(host)
	return string(port)
}

func splitHost(host []byte) (name, port []byte) {
	if len(host) > 0 && host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		if end < 0 {
			return host, nil
		}
		return host[1:end], bytes.TrimPrefix(host[end+1:], []byte{':'})
	}
	name, port, _ = bytes.Cut(host, []byte{':'})
	return bytes.TrimSuffix(name, []byte{'.'}), port
}
