package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"upfront/api"
)

// statusCanceled is what nginx made customary for a client that left.
const statusCanceled = 499

// statuses is the HTTP status of each code.
var statuses = map[api.Code]int{
	api.CodeInvalid:    http.StatusBadRequest,
	api.CodeDenied:     http.StatusForbidden,
	api.CodeNotFound:   http.StatusNotFound,
	api.CodeTimeout:    http.StatusRequestTimeout,
	api.CodeConflict:   http.StatusConflict,
	api.CodeOwned:      http.StatusConflict,
	api.CodeSuperseded: http.StatusConflict,
	api.CodeNoConfig:   http.StatusConflict,
	api.CodeNoPrevious: http.StatusConflict,
	api.CodeNoRollout:  http.StatusConflict,
	api.CodeTooLarge:   http.StatusRequestEntityTooLarge,
	api.CodeUnhealthy:  http.StatusUnprocessableEntity,
	api.CodeCanceled:   statusCanceled,
	api.CodeInternal:   http.StatusInternalServerError,
	api.CodeState:      http.StatusInternalServerError,
	api.CodeBusy:       http.StatusServiceUnavailable,
}

// statusOf is the one place that turns a code into an HTTP status.
func statusOf(code api.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// asError is err as it travels. What is not an *api.Error has the code that its
// place suggests, fallback.
func asError(err error, fallback api.Code) *api.Error {
	var known *api.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return &api.Error{Code: api.CodeCanceled, Message: "canceled: " + err.Error()}
	default:
		return &api.Error{Code: fallback, Message: err.Error()}
	}
}

// writeError answers with err. Nothing may have been written before.
func writeError(w http.ResponseWriter, err *api.Error) {
	writeJSON(w, statusOf(err.Code), api.ErrorAnswer{Error: err})
}

// answerTimeout is how long a client may take to read an answer.
const answerTimeout = 10 * time.Second

func writeJSON(w http.ResponseWriter, status int, answer any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // people read it, browsers do not
	if err := encoder.Encode(answer); err != nil {
		panic("BUG: encode answer: " + err.Error())
	}
	writeBody(w, status, "application/json", body.Bytes())
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	// Both fail only when the client is gone, and then nobody is left to tell.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
