// Package acme gets the certificates of the hosts that it is told of, and renews them,
// from any certificate authority that speaks ACME (RFC 8555).
//
// One schedule decides what is tried when: a name that has no certificate, one whose
// certificate is due, and one that a handshake asked for. Nobody waits for it but that
// handshake. A name that fails is tried again, later and later, and Names says why; it
// never costs another name anything. certmagic does what one attempt takes: orders,
// challenges, keys, storage, stapling. It does not decide: what it would do by itself
// (retries of a month, renewals of its own) cannot be shown, nor called off when a
// service is removed.
//
//	certificates := acme.New(acme.Options{Storage: acme.NewFolder("/var/lib/upfront/certificates")})
//	certificates.Publish([]acme.Wanted{{Service: "web", Hosts: []string{"a.example.com"}}})
//	go certificates.Run(ctx)
//	config := &tls.Config{GetCertificate: certificates.GetCertificate, NextProtos: []string{"http/1.1", acme.Protocol}}
//
// The package does not listen: HTTP-01 is answered by Answer, TLS-ALPN-01 by
// GetCertificate.
package acme
