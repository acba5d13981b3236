package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"upfront/api"
)

// record is one service as a line of the state file. The line ends in a
// checksum of its own, so that a damaged file can be read service by service
// without believing a line that was damaged.
type record struct {
	api.ServiceState
	// Declared says that the service is the config file's, targets included:
	// kept until the first Apply of the next run has read the file again.
	Declared bool `json:"declared,omitempty"`
}

const (
	sumKey = `,"crc32c":"`
	sumEnd = `"}`
	sumLen = len(sumKey) + 8 + len(sumEnd)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecordSum = errors.New("its checksum does not match")

// encodeRecord returns the line of e.
func encodeRecord(e *entry) ([]byte, error) {
	line, err := json.Marshal(record{ServiceState: e.state(), Declared: e.leaves()})
	if err != nil {
		return nil, fmt.Errorf("encode service %q: %w", e.live.Name, err)
	}
	line = line[:len(line)-1] // the closing brace comes after the checksum
	return fmt.Appendf(line, "%s%08x%s", sumKey, crc(line), sumEnd), nil
}

func (e *entry) state() api.ServiceState {
	return api.ServiceState{
		Name: e.live.Name, Spec: e.live.spec, Targets: e.live.targets(),
		Readers: specsOf(e.live.readers), Rollout: e.live.Rollout.state(), Previous: e.previous, Gate: e.gate,
	}
}

func crc(line []byte) uint32 { return crc32.Checksum(line, castagnoli) }

// decodeRecord reads one line, without the comma after it.
func decodeRecord(line []byte) (record, error) {
	var rec record
	if len(line) < sumLen {
		return rec, errRecordSum
	}
	body, tail := line[:len(line)-sumLen], line[len(line)-sumLen:]
	if !bytes.Equal(tail, fmt.Appendf(nil, "%s%08x%s", sumKey, crc(body), sumEnd)) {
		return rec, errRecordSum
	}
	if err := json.Unmarshal(line, &rec); err != nil {
		return rec, err
	}
	return rec, rec.validate()
}

// validate reports why the service cannot be what it was.
func (rec record) validate() error {
	if err := api.ValidateName(rec.Name); err != nil {
		return err
	}
	if err := rec.Spec.Validate(); err != nil {
		return err
	}
	if len(rec.Targets) == 0 {
		return nil // declared in the config file, never deployed
	}
	if err := api.ValidateTargets(rec.Targets); err != nil {
		return err
	}
	return api.ValidateReaders(rec.Readers)
}
