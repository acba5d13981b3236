package cli

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// screen is where text goes, and what it can show.
type screen struct {
	io.Writer
	terminal bool
	colour   bool
	width    int // of a terminal, in characters
}

const defaultWidth = 80

func newScreen(w io.Writer, env func(string) string) screen {
	s := screen{Writer: w, width: defaultWidth}
	file, ok := w.(*os.File)
	if !ok {
		return s
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return s
	}
	s.terminal = true
	s.colour = env("NO_COLOR") == "" && env("TERM") != "dumb"
	if size.Col > 0 {
		s.width = int(size.Col)
	}
	return s
}

// colour of a piece of text, as a terminal wants it.
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

func (s screen) paint(c colour, text string) string {
	if !s.colour || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
