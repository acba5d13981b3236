package kamalstate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"upfront/api"
)

// maxBytes bounds what is read of a state file; 10,000 services take about 15 MB.
const maxBytes = 256 << 20

// Read returns the services of the state file at path. lost says, for each that
// cannot be what it was, why, and what is wrong with the file itself; the others are
// whole. The error is that the file cannot be read; fs.ErrNotExist when there is
// none.
func Read(path string) (services []api.ServiceState, lost []error, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open state of kamal-proxy: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, maxBytes))
	if err != nil {
		return nil, nil, fmt.Errorf("read state of kamal-proxy: %w", err)
	}
	services, lost = parse(data)
	return services, lost, nil
}

// parse takes the entries one by one: kamal-proxy writes its file in place, so that
// it may break off in the middle.
func parse(data []byte) (services []api.ServiceState, lost []error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return nil, []error{errors.New("state of kamal-proxy is not a list: deploy again")}
	}
	seen := map[string]bool{}
	for number := 1; decoder.More(); number++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return services, append(lost, fmt.Errorf("state of kamal-proxy breaks off in entry %d: %w", number, err))
		}
		state, err := convert(raw)
		switch {
		case err == nil && seen[state.Name]:
			err = errors.New("it is there twice")
			fallthrough
		case err != nil:
			lost = append(lost, fmt.Errorf("service %s of kamal-proxy is lost: %w", naming(state.Name, number), err))
		default:
			seen[state.Name] = true
			services = append(services, state)
		}
	}
	if _, err := decoder.Token(); err != nil {
		lost = append(lost, fmt.Errorf("state of kamal-proxy breaks off: %w", err))
	}
	return services, lost
}

func naming(name string, number int) string {
	if name == "" {
		return "number " + strconv.Itoa(number)
	}
	return strconv.Quote(name)
}
