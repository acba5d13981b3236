package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The paths, query keys and header that targets answer to.
const (
	AnswerPath    = "/payload" // GET, with KeyNonce and KeySize
	EchoPath      = "/echo"    // POST, with KeyNonce; KeyBack=1 streams the body back
	StreamPath    = "/stream"  // GET, with KeyNonce, KeyPieces and KeyMillis
	WebSocketPath = "/ws"      // echoes every message

	KeyNonce  = "nonce"
	KeySize   = "size"
	KeyBack   = "back"
	KeyPieces = "pieces"
	KeyMillis = "ms"

	VersionHeader = "X-Version"
)

const word = "upfront"

// Answer is the body of a GET: a line that names version, nonce, size and hash,
// then size bytes that differ from nonce to nonce.
func Answer(version, nonce string, size int) []byte {
	content := filler(nonce, size)
	return append(line(version, nonce, strconv.Itoa(size), hash(content)), content...)
}

// CheckAnswer verifies a body made by Answer for nonce and size, and returns the
// version that wrote it.
func CheckAnswer(body []byte, nonce string, size int) (version string, err error) {
	head, content, found := bytes.Cut(body, []byte("\n"))
	if !found {
		return "", fmt.Errorf("check answer: no line end in %d bytes %s", len(body), excerpt(body))
	}
	version, fields, err := split(head, nonce, 2)
	if err != nil {
		return version, err
	}
	if fields[0] != strconv.Itoa(size) || len(content) != size {
		return version, fmt.Errorf("check answer: got %d bytes, announced %s, want %d", len(content), fields[0], size)
	}
	if got := hash(content); got != fields[1] {
		return version, fmt.Errorf("check answer: content hashes to %s, announced %s", got, fields[1])
	}
	return version, nil
}

// Receipt is the answer to a POST: the length and the hash of what arrived.
func Receipt(version, nonce string, length int64, sum []byte) []byte {
	return line(version, nonce, strconv.FormatInt(length, 10), hex.EncodeToString(sum))
}

// CheckReceipt verifies that receipt is about exactly the body that was sent.
func CheckReceipt(receipt []byte, nonce string, body []byte) (version string, err error) {
	version, fields, err := split(bytes.TrimSuffix(receipt, []byte("\n")), nonce, 2)
	if err != nil {
		return version, err
	}
	if fields[0] != strconv.Itoa(len(body)) {
		return version, fmt.Errorf("check receipt: target got %s bytes, sent %d", fields[0], len(body))
	}
	if want := hash(body); fields[1] != want {
		return version, fmt.Errorf("check receipt: target's body hashes to %s, sent %s", fields[1], want)
	}
	return version, nil
}

// Piece is piece i of n (from 1) of a streamed answer.
func Piece(version, nonce string, i, n int) []byte {
	return line(version, nonce, "piece", strconv.Itoa(i), strconv.Itoa(n))
}

// End is the last line of a streamed answer: the hash of all its pieces.
func End(version, nonce string, sum []byte) []byte {
	return line(version, nonce, "end", hex.EncodeToString(sum))
}

// CheckStream verifies a whole streamed answer of n pieces.
func CheckStream(body []byte, nonce string, n int) (version string, err error) {
	rest := body
	for i := 1; i <= n; i++ {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return version, fmt.Errorf("check stream: ends within piece %d of %d", i, n)
		}
		writer, _, err := split(rest[:end], nonce, 3)
		if err != nil {
			return writer, fmt.Errorf("check stream: piece %d of %d: %w", i, n, err)
		}
		if i == 1 {
			version = writer
		}
		if !bytes.Equal(rest[:end+1], Piece(version, nonce, i, n)) {
			return version, fmt.Errorf("check stream: piece %d of %d is %s", i, n, excerpt(rest[:end]))
		}
		rest = rest[end+1:]
	}
	sum := sha256.Sum256(body[:len(body)-len(rest)])
	if want := End(version, nonce, sum[:]); !bytes.Equal(rest, want) {
		return version, fmt.Errorf("check stream: end is %s, want %s", excerpt(rest), excerpt(want))
	}
	return version, nil
}

// Body is size bytes to POST, different from nonce to nonce.
func Body(nonce string, size int) []byte { return filler(nonce, size) }

func filler(nonce string, size int) []byte {
	unit := nonce + " "
	return bytes.Repeat([]byte(unit), size/len(unit)+1)[:size]
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func line(version, nonce string, fields ...string) []byte {
	return []byte(word + " " + version + " " + nonce + " " + strings.Join(fields, " ") + "\n")
}

// split reads a line and returns its version and the count fields after the nonce.
func split(head []byte, nonce string, count int) (version string, fields []string, err error) {
	words := strings.Split(string(head), " ")
	if len(words) != count+3 || words[0] != word {
		return "", nil, fmt.Errorf("read line: %s is not one of ours", excerpt(head))
	}
	if words[2] != nonce {
		return words[1], nil, fmt.Errorf("read line: answer of request %q, want %q", words[2], nonce)
	}
	return words[1], words[3:], nil
}

func excerpt(b []byte) string {
	const most = 120
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "..."
	}
	return strconv.Quote(string(b))
}
