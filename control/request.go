package control

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"upfront/api"
	"upfront/internal/logfield"
)

// answer receives one request completely, then hands it to its route.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	err := s.protect(r, func() error {
		if err := receive(w, r); err != nil {
			// What is left of the body would be read as the next request.
			w.Header().Set("Connection", "close")
			return err
		}
		s.mux.ServeHTTP(w, r)
		return nil
	})
	if err != nil {
		writeError(w, asError(err, api.CodeInternal))
	}
}

// receive reads the body into memory, so that a call never waits for its own
// request and net/http can tell from then on when the client leaves.
func receive(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, api.MaxRequestBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &api.Error{Code: api.CodeTooLarge, Message: fmt.Sprintf("request is larger than %d bytes", tooLarge.Limit)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &api.Error{Code: api.CodeTimeout, Message: "request did not arrive in time: send it at once"}
	case err != nil:
		return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("read request: %v", err)}
	}
	// The limit was on sending the request; the answer may take as long as the
	// call does.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("lift the deadline of the request: %w", err)
	}
	r.Body = &received{data: body}
	return nil
}

// received is the body of a request, complete.
type received struct {
	data []byte
}

// Read is never used: routes take data whole.
func (b *received) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing.
func (b *received) Close() error { return nil }

func bodyOf(r *http.Request) []byte {
	if b, ok := r.Body.(*received); ok {
		return b.data
	}
	return nil
}

// protect runs do and turns a panic into an error: a defect in one call must not
// take the data plane with it.
func (s *Server) protect(r *http.Request, do func() error) (err error) {
	defer func() {
		defect := recover()
		if defect == nil {
			return
		}
		s.log.Error("Call panicked", logfield.Method(r.Method), logfield.Path(r.URL.Path),
			logfield.Reason(fmt.Sprint(defect)), zap.ByteString("stack", debug.Stack()))
		err = &api.Error{Code: api.CodeInternal, Message: fmt.Sprintf(
			"defect in proxyd, please report it with the log: %s %s panicked: %v", r.Method, r.URL.Path, defect)}
	}()
	return do()
}
