package config

import "upfront/api"

// targetTLS reads how targets are spoken to over TLS.
func (d *decoder) targetTLS(v value) *api.TargetTLS {
	t := &api.TargetTLS{}
	d.mapping(v,
		key{"ca", into(&t.CA, d.filePath)},
		key{"name", into(&t.Name, d.word)},
		key{"certificate", into(&t.Certificate, d.filePath)},
		key{"key", into(&t.Key, d.filePath)},
		key{"insecure_skip_verify", into(&t.InsecureSkipVerify, d.flag)},
	)
	if (t.Certificate == "") != (t.Key == "") {
		d.failValue(v, "has a certificate without its key, or the other way round: write both, or none")
	}
	if t.InsecureSkipVerify && t.CA != "" {
		d.failValue(v, "has a ca, which means nothing where certificates are not verified: remove one of the two")
	}
	return t
}

// grpcService reads the service that the gRPC health protocol is asked about.
func (d *decoder) grpcService(v value) *string {
	written, ok := d.text(v)
	if !ok {
		return nil
	}
	return &written
}
