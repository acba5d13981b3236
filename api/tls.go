package api

// TLS is how clients reach a service over TLS.
type TLS struct {
	// Automatic gets the certificates of the hosts from an ACME directory. Nil does not.
	Automatic *AutomaticTLS `json:"automatic,omitempty"`
}

// clone shares nothing with t.
func (t *TLS) clone() *TLS {
	if t == nil {
		return nil
	}
	c := *t
	c.Automatic = t.Automatic.clone()
	return &c
}

// withDefaults returns a copy of t that is complete.
func (t *TLS) withDefaults() *TLS { return t.clone() }

func (s Spec) validateTLS() error {
	if s.TLS == nil {
		return nil
	}
	return s.TLS.Automatic.validate(s.Hosts)
}
