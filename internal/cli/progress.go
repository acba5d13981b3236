package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"upfront/api"
)

// liveLine shows what a call waits for: one line that is written over and over on
// a terminal, else a line for each change when it was asked for.
type liveLine struct {
	to      screen
	service string
	verbose bool
	last    string
	phase   string // that was seen last
}

func newLiveLine(to screen, service string, verbose bool) *liveLine {
	return &liveLine{to: to, service: service, verbose: verbose}
}

func (l *liveLine) show(p api.Progress) {
	l.phase = p.Phase
	text := progressText(l.service, p)
	if text == l.last {
		return
	}
	switch {
	case l.to.terminal:
		fmt.Fprintf(l.to, "\r\x1b[K%s", shorten(text, l.to.width-1))
	case l.verbose:
		fmt.Fprintln(l.to, text)
	default:
		return
	}
	l.last = text
}

// clear leaves the terminal as it was.
func (l *liveLine) clear() {
	if l.to.terminal && l.last != "" {
		fmt.Fprint(l.to, "\r\x1b[K")
	}
}

// progressText is one line such as
// "web: probing, web-1:3000 starting (GET /up: 503), web-2:3000 healthy".
func progressText(service string, p api.Progress) string {
	parts := []string{service + ": " + p.Phase}
	for _, target := range p.Targets {
		part := target.Target
		if target.Health != "" {
			part += " " + target.Health
		}
		if target.Probe != "" && target.Health != "healthy" {
			part += " (" + target.Probe + ")"
		}
		if target.InFlight > 0 {
			part += fmt.Sprintf(" %d in flight", target.InFlight)
		}
		parts = append(parts, part)
	}
	return printable(strings.Join(parts, ", "))
}

// shorten cuts text to width characters.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width || width < 1 {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
