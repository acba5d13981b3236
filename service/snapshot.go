package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"upfront/api"
)

// The state file is one JSON document:
//
//	{"version":1,"checksum":"<sha256>","services":[
//	{"name":"web",…,"crc32c":"0a1b2c3d"},
//	{"name":"api",…,"crc32c":"4e5f6a7b"}
//	]}
//
// The checksum covers the version and the bytes of the array from bracket to
// bracket. This envelope stays the same in every version, so that an older
// proxyd can tell a later version from a damaged file.

// errLater: the state file is whole, but of a version that this proxyd does not
// know.
var errLater = errors.New("written by a later version")

// encodeState returns the state file of w.
func encodeState(w *world) []byte {
	size := 256
	for _, name := range w.names {
		size += len(w.entries[name].record) + len(",\n")
	}
	out := make([]byte, 0, size)
	out = fmt.Appendf(out, `{"version":%d,"checksum":"`, api.StateVersion)
	sumAt := len(out)
	out = append(out, make([]byte, hex.EncodedLen(sha256.Size))...)
	out = append(out, `","services":`...)
	start := len(out)
	out = append(out, "[\n"...)
	for i, name := range w.names {
		if i > 0 {
			out = append(out, ",\n"...)
		}
		out = append(out, w.entries[name].record...)
	}
	out = append(out, "\n]"...)
	copy(out[sumAt:], checksum(api.StateVersion, out[start:]))
	return append(out, "}\n"...)
}

func checksum(version int, services []byte) string {
	sum := sha256.New()
	sum.Write(strconv.AppendInt(nil, int64(version), 10))
	sum.Write([]byte{'\n'})
	sum.Write(services)
	return hex.EncodeToString(sum.Sum(nil))
}

// contents is what could be read of a state file.
type contents struct {
	records []record
	// lost says, for each service that could not be read, why.
	lost []error
	// unsaved: no file has the records any more, so that another restart would
	// find nothing.
	unsaved bool
}

// decodeState reads a state file. The error is errLater, or says how the file is
// damaged; then nothing of it is believed.
func decodeState(data []byte) (contents, error) {
	var doc struct {
		Version  int             `json:"version"`
		Checksum string          `json:"checksum"`
		Services json.RawMessage `json:"services"`
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return contents{}, errors.New("it is empty")
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return contents{}, fmt.Errorf("it is not whole: %w", err)
	}
	if doc.Checksum != checksum(doc.Version, doc.Services) {
		return contents{}, errors.New("its checksum does not match")
	}
	if doc.Version > api.StateVersion {
		return contents{}, fmt.Errorf("version %d: %w", doc.Version, errLater)
	}
	if doc.Version < 1 {
		return contents{}, fmt.Errorf("its version is %d", doc.Version)
	}
	var lines []json.RawMessage
	if err := json.Unmarshal(doc.Services, &lines); err != nil {
		return contents{}, fmt.Errorf("its services are not a list: %w", err)
	}
	var c contents
	for i, line := range lines {
		c.add(i, line)
	}
	return c, nil
}

// salvage reads what it can of a damaged state file, line by line.
func salvage(data []byte) contents {
	var c contents
	number := 0
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, ",\r\n")
		if len(line) == 0 || line[0] != '{' || bytes.HasPrefix(line, []byte(`{"version"`)) {
			continue
		}
		c.add(number, line)
		number++
	}
	return c
}

func (c *contents) add(number int, line []byte) {
	rec, err := decodeRecord(line)
	if err != nil {
		name := "number " + strconv.Itoa(number+1)
		if rec.Name != "" {
			name = strconv.Quote(rec.Name)
		}
		c.lost = append(c.lost, fmt.Errorf("service %s is lost: %w", name, err))
		return
	}
	c.records = append(c.records, rec)
}
