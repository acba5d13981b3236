// Package cert keeps the certificates that come from files: which one a handshake gets,
// and the newest version of each, seconds after its files were replaced.
//
// A handshake reads one immutable table, so that it costs the same with ten certificates
// and with ten thousand. A pair of files that is no pair keeps the one before it. The
// package returns what happened and never logs; it says nothing of automatic
// certificates, which Options.Next adds.
//
//	pair, err := cert.Open(cert.Files{Certificate: "/etc/ssl/a.pem", Key: "/etc/ssl/a.key"})
//	store := cert.New(cert.Options{})
//	store.Publish([]cert.Set{{Hosts: []string{"a.example.com"}, Pairs: []*cert.Pair{pair}}})
//	config := &tls.Config{GetCertificate: store.GetCertificate}
package cert
