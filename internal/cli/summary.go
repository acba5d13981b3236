package cli

import (
	"fmt"
	"strings"
	"time"

	"upfront/api"
)

// deployed is how a deploy, rollback or add ended, such as
// "1 target healthy after 210ms, switched in 3ms, drained web-1:3000 in 1.2s, 0 cut".
func deployed(r *api.Result) string {
	text := fmt.Sprintf("%s healthy after %s, switched in %s", count(len(r.Targets)+len(r.Readers), "target"), short(r.Waited), short(r.Switched))
	return strings.Join(append([]string{text}, drained(r)...), ", ")
}

// ended is how a call ended that only drains; what is said when there was nothing
// to drain.
func ended(what string) func(*api.Result) string {
	return func(r *api.Result) string {
		parts := drained(r)
		if what != "nothing to drain" || len(parts) == 0 {
			parts = append([]string{what}, parts...)
		}
		return strings.Join(parts, ", ")
	}
}

func drained(r *api.Result) []string {
	var parts []string
	for _, d := range r.Drained {
		if d.Left > 0 {
			continue // it is not drained: see warnLeft
		}
		parts = append(parts, fmt.Sprintf("drained %s in %s, %d cut", d.Target, short(d.Waited), d.Cut))
	}
	return parts
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is a duration with as many digits as people want.
func short(d api.Duration) string {
	v := d.Std()
	switch {
	case v >= time.Minute:
		v = v.Round(time.Second)
	case v >= time.Second:
		v = v.Round(100 * time.Millisecond)
	case v >= time.Millisecond:
		v = v.Round(time.Millisecond)
	default:
		v = v.Round(time.Microsecond)
	}
	return v.String()
}

// age is how long ago t was, for people; "" for the zero time.
func age(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if d := now.Sub(t); d >= time.Second {
		return span(d) + " ago"
	}
	return "now"
}

// span is a length of time in its largest unit.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
