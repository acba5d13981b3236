package cli

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

// table is aligned text for people.
type table struct {
	rows [][]cell
}

func (t *table) head(titles ...string) {
	row := make([]cell, 0, len(titles))
	for _, title := range titles {
		row = append(row, cell{title, bold})
	}
	t.rows = append(t.rows, row)
}

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

// write lays the table out, each line after indent. The last column is not
// padded, so that no line ends in spaces.
func (t *table) write(s screen, indent string) {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(c.text)))
		}
	}
	var text strings.Builder
	for _, row := range t.rows {
		text.WriteString(indent)
		for i, c := range row {
			shown := printable(c.text)
			text.WriteString(s.paint(c.colour, shown))
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(shown)+2))
			}
		}
		text.WriteString("\n")
	}
	_, _ = s.Write([]byte(text.String()))
}

// printable keeps what a target answered from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
}
