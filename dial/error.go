package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"time"
)

// Error is why a target cannot be spoken to, in words that say what to change.
type Error struct {
	text string
	err  error // for errors.Is; may be nil
}

// Error returns the sentence.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Cause returns the sentence, for those who know errors by it.
func (e *Error) Cause() string { return e.text }

// Temporary is what net.Error asks for.
func (e *Error) Temporary() bool { return e.Timeout() }

// Timeout reports whether it only took too long.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// FileError is a file of TLS that cannot be used.
type FileError struct {
	Flag string // that names it
	Err  error
}

// Error names the flag and the key.
func (e *FileError) Error() string { return "read " + setting(e.Flag) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// setting is how it is called by those who deploy: which of them did is not known here.
func setting(flag string) string {
	return flag + ", target_tls." + strings.TrimPrefix(flag, "--target-tls-") + " in the config file"
}

// explain says what is wrong with a handshake.
func (d *Dialer) explain(ctx context.Context, err error) error {
	var text string
	var unverified *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	alert, alerted := alertOf(err)
	switch {
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		text = "TLS handshake timed out"
	case errors.As(err, &unverified):
		text = d.explainCertificate(unverified)
	case errors.As(err, &header):
		text = "it does not speak TLS: write the target without https:// or h2://"
		if d.options.HTTP2 {
			text = "it does not speak TLS: write the target as h2c://"
		}
	case alerted:
		text = "it refused the TLS handshake: " + explainAlert(alert)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "it closed the connection during the TLS handshake"
	default:
		text = "TLS handshake: " + strings.TrimPrefix(plainCause(err).Error(), "tls: ")
	}
	return &Error{text: text, err: err}
}

// explainCertificate says why a certificate is not trusted.
func (d *Dialer) explainCertificate(err *tls.CertificateVerificationError) string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var roots x509.SystemRootsError
	leaf := err.UnverifiedCertificates[0]
	switch {
	case errors.As(err, &host):
		return fmt.Sprintf("its certificate is for %s, not for %q: set its name (%s)",
			namesOf(leaf), host.Host, setting("--target-tls-name"))
	case errors.As(err, &authority):
		return fmt.Sprintf("its certificate (%s) is signed by %q, which is not trusted: set the CA (%s)",
			namesOf(leaf), leaf.Issuer.String(), setting("--target-tls-ca"))
	case errors.As(err, &roots):
		return "the system has no authorities to trust: set the CA (" + setting("--target-tls-ca") + ")"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		now := time.Now()
		if bad := invalid.Cert; bad != nil && now.Before(bad.NotBefore) {
			return "its certificate is not valid before " + bad.NotBefore.UTC().Format(time.DateTime)
		} else if bad != nil {
			return "its certificate expired on " + bad.NotAfter.UTC().Format(time.DateTime)
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "its certificate is not meant for servers"
	}
	return "its certificate is not trusted: " + strings.TrimPrefix(err.Err.Error(), "x509: ")
}

// shownNames is how many names of a certificate a sentence has room for.
const shownNames = 4

// namesOf is what a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name"
	}
	more := ""
	if len(names) > shownNames {
		names, more = names[:shownNames], " and others"
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(names, ", ") + more
}

// The alerts (RFC 8446 §6.2) that tell what to change.
const (
	alertHandshakeFailure    = 40
	alertBadCertificate      = 42
	alertUnknownCA           = 48
	alertProtocolVersion     = 70
	alertUnrecognizedName    = 112
	alertCertificateRequired = 116
	alertNoProtocol          = 120
)

// alertOf returns the alert that the target sent. crypto/tls has a type for it that it
// does not export: a number, below an error of package net.
func alertOf(err error) (tls.AlertError, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	if number := reflect.ValueOf(op.Err); number.Kind() == reflect.Uint8 {
		return tls.AlertError(number.Uint()), true
	}
	return 0, false
}

func explainAlert(alert tls.AlertError) string {
	switch alert {
	case alertHandshakeFailure:
		return "no common cipher suite, or it wants a client certificate (" + setting("--target-tls-certificate") + ")"
	case alertBadCertificate, alertUnknownCA:
		return "it does not trust our certificate (" + setting("--target-tls-certificate") + ")"
	case alertCertificateRequired:
		return "it wants a client certificate (" + setting("--target-tls-certificate") + ")"
	case alertProtocolVersion:
		return "it speaks no TLS 1.2 or later"
	case alertUnrecognizedName:
		return "it does not know the name that it was asked for (" + setting("--target-tls-name") + ")"
	case alertNoProtocol:
		return "it does not offer the protocol of the target's scheme"
	}
	return strings.TrimPrefix(alert.Error(), "tls: ")
}

// plainCause cuts what package net puts in front of a cause.
func plainCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}
