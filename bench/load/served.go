package load

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Served asks the target how many requests it has answered so far.
func Served(address string) (int, error) {
	resp, err := http.Get("http://" + address + "/served")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return 0, fmt.Errorf("ask target: %w", err)
	}
	return n, nil
}
