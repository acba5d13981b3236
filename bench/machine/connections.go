package machine

import (
	"fmt"
	"os"
	"strings"
)

// Connections is how many connections there are to a port of this machine, those that
// their client has ended included.
func Connections(port int) (int, error) {
	text, err := os.ReadFile("/proc/net/tcp")
	return countConnections(string(text), port), err
}

// countConnections reads the text of /proc/net/tcp.
func countConnections(text string, port int) (n int) {
	const established, ended = "01", "08"
	local := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 3 && strings.HasSuffix(fields[1], local) && (fields[3] == established || fields[3] == ended) {
			n++
		}
	}
	return n
}
