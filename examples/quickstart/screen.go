package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// screen prints the story, in colour only on a terminal.
type screen struct {
	out    *os.File
	colour bool
}

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{out: out, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// step prints one thing that was done, and how long it took when that matters.
func (s *screen) step(name, what string, took time.Duration) {
	duration := ""
	if took > 0 {
		duration = "  " + s.paint(dim, short(took))
	}
	fmt.Fprintf(s.out, "  %s  %s%s\n", s.paint(bold, fmt.Sprintf("%-6s", name)), what, duration)
}

// detail prints lines below a step.
func (s *screen) detail(text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		fmt.Fprintf(s.out, "          %s\n", s.paint(dim, strings.TrimRight(line, "\n")))
	}
}

// title prints a line of its own.
func (s *screen) title(text string) {
	fmt.Fprintf(s.out, "\n%s\n\n", s.paint(bold, text))
}

// verdict prints the last line, good or bad.
func (s *screen) verdict(good bool, text string) {
	colour := green
	if !good {
		colour = red
	}
	fmt.Fprintf(s.out, "\n%s\n", s.paint(colour, text))
}

const (
	bold  = "1"
	dim   = "2"
	red   = "1;31"
	green = "1;32"
)

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// short writes a duration with the digits that matter.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// thousands writes 48123 as 48,123.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
