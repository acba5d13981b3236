package http1

// Error is a verdict against a message: the status that its sender is answered
// (for a request; a bad response is always 502) and the reason in a few words.
// All errors of the package are of this type, declared once and comparable.
type Error struct {
	Status int
	Reason string
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// The verdicts, with the section that decides.
var (
	ErrHeadTooLarge   = &Error{431, "head too large"}                              // RFC 6585 §5
	ErrTooManyFields  = &Error{431, "too many fields"}                             // RFC 6585 §5
	ErrRequestLine    = &Error{400, "malformed request line"}                      // RFC 9112 §3
	ErrTargetTooLong  = &Error{414, "request target too long"}                     // RFC 9112 §3
	ErrMethodTooLong  = &Error{501, "method too long"}                             // RFC 9112 §3
	ErrTarget         = &Error{400, "malformed request target"}                    // RFC 9112 §3.2
	ErrConnect        = &Error{501, "CONNECT is not served"}                       // RFC 9110 §9.3.6
	ErrTrace          = &Error{405, "TRACE is not served"}                         // RFC 9110 §9.3.8
	ErrVersion        = &Error{505, "HTTP version not supported"}                  // RFC 9112 §2.3
	ErrBareLF         = &Error{400, "line ends without CR"}                        // RFC 9112 §2.2
	ErrFieldName      = &Error{400, "malformed field name"}                        // RFC 9112 §5.1
	ErrFieldValue     = &Error{400, "control byte in field value"}                 // RFC 9110 §5.5
	ErrFold           = &Error{400, "folded field line"}                           // RFC 9112 §5.2
	ErrHost           = &Error{400, "missing, repeated or malformed Host"}         // RFC 9112 §3.2
	ErrContentLength  = &Error{400, "repeated or malformed Content-Length"}        // RFC 9112 §6.3
	ErrTransferCoding = &Error{400, "chunked is not the final transfer coding"}    // RFC 9112 §6.3
	ErrCodingUnknown  = &Error{501, "transfer coding not served"}                  // RFC 9112 §6.1
	ErrFramingBoth    = &Error{400, "Content-Length beside Transfer-Encoding"}     // RFC 9112 §6.1
	ErrCodingIn10     = &Error{400, "Transfer-Encoding in HTTP/1.0"}               // RFC 9112 §6.1
	ErrExpect         = &Error{417, "expectation not understood"}                  // RFC 9110 §10.1.1
	ErrStatusLine     = &Error{502, "malformed status line"}                       // RFC 9112 §4
	ErrChunkSize      = &Error{400, "malformed chunk size"}                        // RFC 9112 §7.1
	ErrChunkExt       = &Error{400, "malformed chunk extension"}                   // RFC 9112 §7.1.1
	ErrChunkData      = &Error{400, "chunk data does not end where its size says"} // RFC 9112 §7.1
	ErrTrailer        = &Error{400, "malformed trailer field"}                     // RFC 9112 §7.1.2
	ErrTrailerSize    = &Error{431, "trailer section too large"}                   // RFC 6585 §5
)
