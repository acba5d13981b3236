package page

import "bytes"

// Form is how a page is written. The zero value is Text.
type Form uint8

// The forms.
const (
	Text Form = iota
	HTML
	JSON
	forms // how many there are
)

// ContentType is the value of the field of that name.
func (f Form) ContentType() string {
	return [forms]string{"text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"}[f]
}

// Accept is what a client would rather read, as the Accept lines of its request
// say (RFC 9110 §12.5.1). The zero value is a request without any.
type Accept struct{ ratings [forms]rating }

// rating is what the most specific media range says that matches a form.
type rating struct {
	match   match
	quality int // in thousandths
}

// match is how specific a media range is that matches a form.
type match uint8

const (
	unmatched match = iota
	anything        // */*
	anyOfType       // text/*
	similar         // with a parameter, or application/problem+json for JSON
	exact
)

// Add reads one Accept line. An entry that is malformed counts as not written.
func (a *Accept) Add(line []byte) {
	for more := true; more; {
		var entry []byte
		entry, line, more = cutUnquoted(line, ',')
		if matches, quality, ok := parseRange(entry); ok {
			a.note(matches, quality)
		}
	}
}

func (a *Accept) note(matches [forms]match, quality int) {
	for form, m := range matches {
		r := &a.ratings[form]
		if m != unmatched && (m > r.match || m == r.match && quality > r.quality) {
			*r = rating{m, quality}
		}
	}
}

// Best returns the form that the client would rather read. A form that it names
// beats one that it only covers with a wildcard, in the order HTML, JSON, Text: a
// script that writes "application/json, */*" is better served with JSON. Among
// those that are covered, and when nothing is acceptable, first comes first: a
// page of the wrong form is better than none (RFC 9110 §12.5.1 allows it).
func (a *Accept) Best(first Form) Form {
	best, points := first, -1
	for _, form := range [forms]Form{HTML, JSON, Text} {
		p := a.points(form, first)
		if p > points {
			best, points = form, p
		}
	}
	return best
}

// points orders the forms: by quality, by how they match, by our own liking.
func (a *Accept) points(form, first Form) int {
	r := a.ratings[form]
	liking := [forms]int{Text: 1, HTML: 2, JSON: 0}[form]
	if form == first {
		liking = 3
	}
	switch {
	case r.match == unmatched:
		return 10 + liking // not asked for, but not refused either
	case r.quality == 0:
		return liking
	case r.match >= similar:
		liking = [forms]int{Text: 1, HTML: 3, JSON: 2}[form]
	}
	return 100*r.quality + 10*int(min(r.match, similar)) + liking
}

// parseRange reads one entry of an Accept line: a media range and its parameters.
func parseRange(entry []byte) (matches [forms]match, quality int, ok bool) {
	mediaRange, rest, more := cutUnquoted(entry, ';')
	kind, subtype, found := bytes.Cut(trimBlank(mediaRange), slash)
	if !found || !isToken(kind) || !isToken(subtype) {
		return matches, 0, false
	}
	quality, narrowed := 1000, false
	for more {
		var parameter []byte
		parameter, rest, more = cutUnquoted(rest, ';')
		if parameter = trimBlank(parameter); len(parameter) == 0 {
			continue
		}
		name, value, found := bytes.Cut(parameter, equals)
		if !found || !isToken(name) || !isToken(value) && !isQuoted(value) {
			return matches, 0, false
		}
		if !bytes.EqualFold(name, q) {
			narrowed = true
			continue
		}
		if quality, ok = parseQuality(value); !ok {
			return matches, 0, false
		}
		break // what follows extends the entry and not the range
	}
	matches, ok = matchForms(kind, subtype)
	for form := range matches {
		if narrowed && matches[form] == exact {
			matches[form] = similar
		}
	}
	return matches, quality, ok
}

var (
	slash  = []byte("/")
	equals = []byte("=")
	star   = []byte("*")
	q      = []byte("q")
)

// matchForms says how the range kind/subtype matches each form. False for a range
// that there cannot be.
func matchForms(kind, subtype []byte) (matches [forms]match, ok bool) {
	anySubtype := bytes.Equal(subtype, star)
	switch {
	case bytes.Equal(kind, star):
		return [forms]match{anything, anything, anything}, anySubtype
	case bytes.EqualFold(kind, []byte("text")):
		switch {
		case anySubtype:
			matches[HTML], matches[Text] = anyOfType, anyOfType
		case bytes.EqualFold(subtype, []byte("html")):
			matches[HTML] = exact
		case bytes.EqualFold(subtype, []byte("plain")):
			matches[Text] = exact
		}
	case bytes.EqualFold(kind, []byte("application")):
		_, suffix, found := bytes.Cut(subtype, []byte("+"))
		switch {
		case anySubtype:
			matches[JSON] = anyOfType
		case bytes.EqualFold(subtype, []byte("json")):
			matches[JSON] = exact
		case found && bytes.EqualFold(suffix, []byte("json")):
			matches[JSON] = similar
		}
	}
	return matches, true
}

// parseQuality reads a weight as thousandths: 0 or 1, with up to three digits
// behind the point (RFC 9110 §12.4.2).
func parseQuality(value []byte) (quality int, ok bool) {
	if len(value) == 0 || len(value) > 5 || value[0] != '0' && value[0] != '1' || len(value) > 1 && value[1] != '.' {
		return 0, false
	}
	quality = 1000 * int(value[0]-'0')
	for i, unit := 2, 100; i < len(value); i, unit = i+1, unit/10 {
		if value[i] < '0' || value[i] > '9' {
			return 0, false
		}
		quality += unit * int(value[i]-'0')
	}
	return quality, quality <= 1000
}

// cutUnquoted cuts b at the first separator that stands outside of a quoted
// string.
func cutUnquoted(b []byte, separator byte) (before, after []byte, found bool) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == separator:
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

func trimBlank(b []byte) []byte { return bytes.Trim(b, " \t") }

// isQuoted reports whether b is one quoted string. Its end is where cutUnquoted
// found it.
func isQuoted(b []byte) bool { return len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' }

// isToken reports whether b is a token (RFC 9110 §5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && bytes.IndexByte(tokenMarks, c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

var tokenMarks = []byte("!#$%&'*+-.^_`|~")
