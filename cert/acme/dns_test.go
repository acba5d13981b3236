package acme

import (
	"net"
	"sync"
	"testing"

	"github.com/libdns/rfc2136"
	"github.com/miekg/dns"
)

// zone is a DNS server for every name, that takes updates signed with one key.
type zone struct {
	mu      sync.Mutex
	texts   map[string][]string // guarded by mu; by name
	updates int                 // guarded by mu
}

const zoneKey, zoneSecret = "update.", "bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQga2V5"

func newZone(t *testing.T) (z *zone, address string) {
	t.Helper()
	z = &zone{texts: map[string][]string{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address = ln.Addr().String()
	packets, err := net.ListenPacket("udp", address)
	must(t, err)
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	for _, server := range []*dns.Server{{Listener: ln}, {PacketConn: packets}} {
		server.Handler, server.TsigSecret = z, map[string]string{zoneKey: zoneSecret}
		server.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
		work.Go(func() { _ = server.ActivateAndServe() })
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return z, address
}

// ServeDNS answers like the server of example.test.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	answer := new(dns.Msg).SetReply(q)
	answer.Authoritative = true
	question := q.Question[0]
	head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 1}
	soa := &dns.SOA{
		Hdr: dns.RR_Header{Name: "example.test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 1},
		Ns:  "ns.example.test.", Mbox: "ops.example.test.", Serial: 1,
	}
	switch {
	case q.Opcode == dns.OpcodeUpdate:
		if q.IsTsig() == nil || w.TsigStatus() != nil {
			answer.Rcode = dns.RcodeNotAuth
			break
		}
		z.update(q.Ns)
		answer.SetTsig(zoneKey, q.IsTsig().Algorithm, 300, int64(q.IsTsig().TimeSigned))
	case question.Qtype == dns.TypeSOA && question.Name == "example.test.":
		answer.Answer = append(answer.Answer, soa)
	case question.Qtype == dns.TypeA:
		answer.Answer = append(answer.Answer, &dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)})
	case question.Qtype == dns.TypeTXT:
		for _, text := range z.texts[question.Name] {
			answer.Answer = append(answer.Answer, &dns.TXT{Hdr: head, Txt: []string{text}})
		}
	default:
		answer.Ns = append(answer.Ns, soa)
	}
	_ = w.WriteMsg(answer)
}

func (z *zone) update(records []dns.RR) {
	for _, record := range records {
		z.updates++
		name := record.Header().Name
		text, ok := record.(*dns.TXT)
		if !ok || record.Header().Class != dns.ClassINET {
			delete(z.texts, name)
			continue
		}
		z.texts[name] = append(z.texts[name], text.Txt...)
	}
}

// A wildcard can only be proven in the zone. The zone is left as it was.
func TestCertificates_DNS01(t *testing.T) {
	const name = "*.example.test"
	e := newEdge(t)
	z, address := newZone(t)
	a := newAuthority(t, e, address, nil)
	r := run(t, e, t.TempDir(), Options{
		Authority: a.asOptions(),
		DNS: DNS{
			Provider:  &rfc2136.Provider{KeyName: zoneKey, KeyAlg: "hmac-sha256", Key: zoneSecret, Server: address},
			Resolvers: []string{address},
		},
	})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{name}}})
	until(t, "a certificate", r.has(name))
	if _, err := e.shake("any.example.test", a.issuers()); err != nil {
		t.Error(err)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.updates < 2 || len(z.texts) != 0 {
		t.Errorf("got %d updates and the records %v, want what was added removed", z.updates, z.texts)
	}
}

func TestCertificates_wildcardWithoutDNS_saysWhatToDo(t *testing.T) {
	e := newEdge(t)
	r := run(t, e, t.TempDir(), Options{HTTP: e.http.Addr()})
	r.Publish([]Wanted{{Service: "web", Hosts: []string{"*.example.test"}}})
	if got := r.status("*.example.test"); got.Problem == "" || !got.NextAttempt.IsZero() {
		t.Errorf("status: got %+v, want a problem and no attempt", got)
	}
}
