package health

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Result is what one probe saw. It is immutable: the map is shared by all who
// read it.
type Result struct {
	// OK is whether every path answered well.
	OK bool
	// Method is how the path was asked. Empty is GET.
	Method string
	// Path is the one that failed, else the last.
	Path string
	// Code is the HTTP status, 0 when there was no answer.
	Code int
	// Checks are the `checks` of a JSON answer, name to value, at most 32.
	Checks map[string]string
	// Err is why the probe failed, as short as people say it: "connection
	// refused". Nil when OK.
	Err error
	// At is when the probe started.
	At time.Time
	// Duration is how long it took.
	Duration time.Duration
}

// shownChecks is how many checks a sentence names.
const shownChecks = 6

// String is one sentence, such as "GET /up: 503, checks: database=false". The
// zero value says that there was no probe yet.
func (r Result) String() string {
	if r.Path == "" && r.Code == 0 && r.Err == nil {
		return "not probed yet"
	}
	var b strings.Builder
	b.WriteString(cmp.Or(r.Method, "GET"))
	b.WriteByte(' ')
	b.WriteString(r.Path)
	b.WriteString(": ")
	names, failed := sortedChecks(r.Checks)
	if r.OK && failed == 0 {
		names = nil // nothing to explain
	}
	b.WriteString(r.verdict(len(names) > 0))
	for i, name := range names {
		switch i {
		case 0:
			b.WriteString(", checks: ")
		case shownChecks:
			b.WriteString(" and ")
			b.WriteString(strconv.Itoa(len(names) - i))
			b.WriteString(" more")
			return b.String()
		default:
			b.WriteString(", ")
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(r.Checks[name])
	}
	return b.String()
}

// verdict is the sentence without path and checks. A status that checks explain
// needs no word about the expected range.
func (r Result) verdict(explained bool) string {
	if _, isStatus := errors.AsType[*statusError](r.Err); r.Err == nil || (isStatus && explained) {
		if r.Code == 0 {
			return "no answer"
		}
		return strconv.Itoa(r.Code)
	}
	return r.Err.Error()
}
