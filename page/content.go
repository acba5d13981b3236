package page

import (
	"encoding/json"
	"strconv"
)

// Content is what a page says. Templates read its fields and methods.
type Content struct {
	// Status is the status code, 400 to 599.
	Status int
	// Maintenance says that the service was stopped, not that it failed.
	Maintenance bool
	// Message is what whoever stopped the service has to say; may be empty, and
	// may have several lines.
	Message string
	// RequestID is what the logs know the request by.
	RequestID string
}

// Title is what happened, in two or three words.
func (c Content) Title() string { return c.words().title }

// Sentence is the message where there is one, else what happened and what to do.
func (c Content) Sentence() string {
	if c.Message != "" {
		return c.Message
	}
	return c.words().sentence
}

// Append appends the built-in page to b.
func (c Content) Append(b []byte, f Form) []byte {
	switch f {
	case HTML:
		return c.appendHTML(b)
	case JSON:
		b = strconv.AppendInt(append(b, `{"status":`...), int64(c.Status), 10)
		b = append(append(b, `,"title":`...), quoted(c.Title())...)
		b = append(append(b, `,"error":`...), quoted(c.Sentence())...)
		b = append(append(b, `,"request_id":`...), quoted(c.RequestID)...)
		return append(b, "}\n"...)
	default:
		b = append(strconv.AppendInt(b, int64(c.Status), 10), ' ')
		b = append(append(b, c.Title()...), '\n')
		b = append(append(b, c.Sentence()...), '\n')
		return append(append(append(b, "Request "...), c.RequestID...), '\n')
	}
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always has a form
	return b
}
