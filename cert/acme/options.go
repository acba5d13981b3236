package acme

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"go.uber.org/zap"
)

// The directories of Let's Encrypt.
const (
	LetsEncrypt        = certmagic.LetsEncryptProductionCA
	LetsEncryptStaging = certmagic.LetsEncryptStagingCA
)

// Protocol is what a listener for TLS has to offer in ALPN for TLS-ALPN-01.
const Protocol = acmez.ACMETLS1Protocol

// Authority is a certificate authority and our account with it.
type Authority struct {
	// Directory is the URL where its ACME begins. Default LetsEncrypt.
	Directory string
	// Email that it may write to. Empty is none.
	Email string
	// KeyID and MACKey are of an external account that ours is bound to (RFC 8555
	// §7.3.4); MACKey is base64url. Empty is none.
	KeyID, MACKey string
	// Roots that the directory's own certificate must be of. Nil is the system's.
	Roots *x509.CertPool
}

// DNSProvider changes the records of a zone, for DNS-01.
type DNSProvider = certmagic.DNSProvider

// DNS is how DNS-01 is answered.
type DNS struct {
	// Provider changes the zone. Nil: DNS-01 is not used, and there are no certificates
	// for wildcards.
	Provider DNSProvider
	// Resolvers to find the zone and to see the record with, as HOST:PORT. Empty is the
	// system's, and then the zone's own.
	Resolvers []string
	// PropagationTimeout is how long the record may take to be seen. Default 2m;
	// negative does not look.
	PropagationTimeout time.Duration
}

// Options of Certificates.
type Options struct {
	// Storage keeps what must outlive us. Required.
	Storage certmagic.Storage
	// Authority of names that want no other one.
	Authority Authority
	// Fallback is tried when Authority fails. Nil is none.
	Fallback *Authority
	// DNS answers every challenge when it has a provider.
	DNS DNS
	// HTTP is where plain requests arrive that Answer is asked about, and TLS where
	// handshakes arrive that GetCertificate is asked about. Nil: the challenge of that
	// kind cannot be answered.
	HTTP, TLS net.Addr
	// Caches are folders as kamal-proxy keeps its certificates in. A name that has none
	// here is looked for there before one is ordered.
	Caches []string
	// AskService asks a path of a service whether name may have a certificate. An error
	// is a no. May be nil when no Wanted.Ask is a path.
	AskService func(ctx context.Context, service, path, name string) error
	// Logger for what changes. Nil is silent.
	Logger *zap.Logger

	retries []time.Duration // between the attempts of a name; for tests
}

// Wanted is what one service asks for.
type Wanted struct {
	Service string
	// Hosts that are to have certificates: names, or "*.example.com", which takes DNS-01.
	// Those of OnDemand, as well as none at all, are patterns.
	Hosts []string
	// Directory instead of Options.Authority's. It is not followed by the fallback.
	Directory string
	// Cache is one more of Options.Caches.
	Cache string
	// Ask is a URL, or a path of the service, that is asked with ?host=NAME before a
	// name below a wildcard of Hosts, or any name where Hosts is empty, gets a
	// certificate during a handshake; 200 is a yes. Empty: only Hosts have any.
	Ask string
}

// retries are how long a name waits after each attempt that failed, the last one for
// ever. The first five fall into the first hour, which is as often as Let's Encrypt lets
// a name fail.
var retries = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour,
}

const (
	// attemptTimeout bounds one attempt with one authority.
	attemptTimeout = 5 * time.Minute
	// limitedDelay is the least wait after an authority said that it was asked too often.
	limitedDelay = time.Hour
	// changedDelay is the least wait after which a deploy lets a name that failed try
	// again at once: Let's Encrypt forgets one failure in that time.
	changedDelay = 12 * time.Minute
	// maxAttempts is how many attempts run at once.
	maxAttempts = 8
	// renewalInfoInterval is how often an authority is asked when it wants a renewal.
	renewalInfoInterval = 6 * time.Hour
	// noRenewalInfoInterval is for one that has no answer to that.
	noRenewalInfoInterval = 24 * time.Hour
	// stapleInterval is how often staples are looked at.
	stapleInterval = 10 * time.Minute
	// stopTimeout is how long the end waits for what is under way, and for staples.
	stopTimeout = 5 * time.Second
)
