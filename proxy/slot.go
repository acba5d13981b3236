package proxy

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"upfront/balancer"
	"upfront/proxy/http1"
	"upfront/service"
)

// The cookies by which the targets of a service are told apart. The first two are
// kamal-proxy's.
const (
	// cookieRollout is set by the app, and names its visitor.
	cookieRollout = "kamal-rollout"
	// cookieWriter is set by us, and says until when its client reads where it wrote.
	cookieWriter = "kamal-writer"
	// cookieDrawn is set by us for who has no cookieRollout, and names the visitor.
	cookieDrawn = "upfront-rollout"
)

// drawnAge is for how many seconds a visitor keeps the value that was drawn.
const drawnAge = "2592000"

// choose acquires a target that is not in tried. A request that the rollout takes
// tries the targets there first, one that reads those that only read; for all of
// them those of the service's Pool stand in.
func (x *exchange) choose() (*balancer.Target, error) {
	svc, tried := x.svc, x.tried.all()
	if svc.Readers == nil && svc.Rollout == nil {
		return svc.Pool.Acquire(tried)
	}
	reads := x.reads()
	if rollout := svc.Rollout; rollout != nil && x.rolls(rollout) {
		if target := readersFirst(rollout.Readers, rollout.Pool, reads, tried); target != nil {
			return target, nil
		}
	}
	if reads && svc.Readers != nil {
		if target, err := svc.Readers.Acquire(tried); err == nil {
			return target, nil
		}
	}
	return svc.Pool.Acquire(tried)
}

// takes reports whether a target that the request may have is only full at the
// moment.
func (x *exchange) takes() bool {
	svc, tried := x.svc, x.tried.all()
	if svc.Pool.Takes(tried) {
		return true
	}
	return svc.Readers != nil && x.reads() && svc.Readers.Takes(tried)
}

// readersFirst acquires a target of readers, if the request may have one, else of pool.
func readersFirst(readers, pool *balancer.Pool, reads bool, tried []*balancer.Target) *balancer.Target {
	if reads && readers != nil {
		if target, err := readers.Acquire(tried); err == nil {
			return target
		}
	}
	target, err := pool.Acquire(tried)
	if err != nil {
		return nil
	}
	return target
}

// reads reports whether a target that only reads may take the request.
func (x *exchange) reads() bool {
	req := &x.c.req
	if !asksToRead(req) || req.WebSocket && !x.svc.ReadWebSockets {
		return false
	}
	if x.svc.WriterAffinity <= 0 {
		return true
	}
	until, err := strconv.ParseInt(string(cookie(req, cookieWriter)), 10, 64)
	return err != nil || x.start.UnixMilli() >= until
}

func asksToRead(req *http1.Request) bool {
	return string(req.Method) == http.MethodGet || string(req.Method) == http.MethodHead
}

// rolls reports whether the rollout takes the request: for a header it has, else
// for its visitor.
func (x *exchange) rolls(rollout *service.Rollout) bool {
	if !rollout.Sends() {
		return false
	}
	req := &x.c.req
	for _, want := range rollout.Headers() {
		if value, ok := headerOf(req, want.Name); ok && (want.Value == "" || want.Value == string(value)) {
			return true
		}
	}
	if visitor := cookie(req, cookieRollout); len(visitor) > 0 {
		return rollout.Takes(visitor)
	}
	if !rollout.Random() {
		return false
	}
	if visitor := cookie(req, cookieDrawn); len(visitor) > 0 {
		return rollout.Takes(visitor)
	}
	if !x.drew {
		x.drawn.draw()
		x.drew = true
	}
	return rollout.Takes(x.drawn[:])
}

// visitor is a name that we drew for somebody who has none.
type visitor [16]byte

func (v *visitor) draw() {
	random := rand.Uint64()
	for i := range v {
		v[i] = hexDigits[random>>(4*i)&15]
	}
}

// headerOf returns the value of the first header called name.
func headerOf(req *http1.Request, name string) (value []byte, ok bool) {
	for i := range req.Fields() {
		f := &req.Fields()[i]
		if called(req.Name(f), name) {
			return req.Value(f), true
		}
	}
	return nil, false
}

// called reports whether a header's name is name, which is ASCII.
func called(got []byte, name string) bool {
	if len(got) != len(name) {
		return false
	}
	for i, c := range got {
		if lower(c) != lower(name[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// cookie returns the value of the first cookie called name (RFC 6265 §5.4), nil
// when there is none.
func cookie(req *http1.Request, name string) []byte {
	for i := range req.Fields() {
		f := &req.Fields()[i]
		if !called(req.Name(f), "Cookie") {
			continue
		}
		for rest := req.Value(f); len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte{';'})
			key, value, found := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
			if found && string(key) == name {
				return bytes.Trim(value, `"`)
			}
		}
	}
	return nil
}

// marks reports whether the answer is to have the cookie of a client that wrote,
// and takes out the header with which the target can say that nothing was written.
func (x *exchange) marks() bool {
	svc := x.svc
	if svc.Readers == nil && (svc.Rollout == nil || svc.Rollout.Readers == nil) {
		return false
	}
	res, wrote := &x.c.res, svc.WriterAffinity > 0 && !asksToRead(&x.c.req)
	for i := range res.Fields() {
		if f := &res.Fields()[i]; called(res.Name(f), "X-Writer-Affinity") {
			wrote = wrote && string(res.Value(f)) != "false"
			f.Cut = true
		}
	}
	return wrote
}

// appendCookies writes our own cookies. wrote says that the client is to read where
// it wrote for a time.
func (x *exchange) appendCookies(b []byte, wrote bool) []byte {
	if x.drew {
		b = append(b, "Set-Cookie: "+cookieDrawn+"="...)
		b = append(b, x.drawn[:]...)
		b = append(b, "; Path=/; Max-Age="+drawnAge+"; HttpOnly; SameSite=Lax\r\n"...)
	}
	if wrote {
		until := time.Now().Add(x.svc.WriterAffinity)
		b = append(b, "Set-Cookie: "+cookieWriter+"="...)
		b = strconv.AppendInt(b, until.UnixMilli(), 10)
		b = append(b, "; Path=/; Expires="...)
		b = until.Add(time.Second).UTC().AppendFormat(b, http.TimeFormat)
		b = append(b, "; HttpOnly\r\n"...)
	}
	return b
}
