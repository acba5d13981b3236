package proxy

import (
	"net/http"
	"time"
)

// dateLine is the Date field of one second, rendered once for all answers. Immutable.
type dateLine struct {
	second int64 // Unix
	text   string
}

// appendDate appends the Date line that an answer has to have when its target sent
// none (RFC 9110 §6.6.1: whoever forwards it must say when it came).
func (s *Server) appendDate(b []byte, now time.Time) []byte {
	date := s.date.Load()
	if date == nil || date.second != now.Unix() {
		date = &dateLine{second: now.Unix(), text: "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		s.date.Store(date)
	}
	return append(b, date.text...)
}
