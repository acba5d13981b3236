package payload

import (
	"crypto/sha256"
	"strings"
	"testing"
)

func TestCheckAnswer(t *testing.T) {
	good := string(Answer("v1", "a-1", 300))
	tests := []struct {
		name, body, wantErr string
	}{
		{"whole", good, ""},
		{"empty", "", "no line end"},
		{"truncated", good[:len(good)-1], "got 299 bytes"},
		{"surplus byte", good + "x", "got 301 bytes"},
		{"changed byte", good[:len(good)-1] + "~", "content hashes to"},
		{"answer of another request", string(Answer("v1", "a-2", 300)), `answer of request "a-2"`},
		{"an error page", "<h1>503</h1>\n", "not one of ours"},
		{"another size", string(Answer("v1", "a-1", 299)), "announced 299, want 300"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			version, err := CheckAnswer([]byte(tt.body), "a-1", 300)
			checkError(t, err, tt.wantErr)
			if tt.wantErr == "" && version != "v1" {
				t.Errorf("version = %q, want v1", version)
			}
		})
	}
}

func TestCheckReceipt(t *testing.T) {
	body := Body("b-1", 1000)
	sum := sha256.Sum256(body)
	other := sha256.Sum256([]byte("other"))
	tests := []struct {
		name    string
		receipt []byte
		wantErr string
	}{
		{"whole", Receipt("v2", "b-1", 1000, sum[:]), ""},
		{"another length", Receipt("v2", "b-1", 999, sum[:]), "got 999 bytes, sent 1000"},
		{"another hash", Receipt("v2", "b-1", 1000, other[:]), "hashes to"},
		{"another request", Receipt("v2", "b-9", 1000, sum[:]), "answer of request"},
		{"empty", nil, "not one of ours"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := CheckReceipt(tt.receipt, "b-1", body)
			checkError(t, err, tt.wantErr)
		})
	}
}

func TestCheckStream(t *testing.T) {
	good := stream("v1", "s-1", 3)
	lines := strings.SplitAfter(good, "\n")
	tests := []struct {
		name, body, wantErr string
	}{
		{"whole", good, ""},
		{"empty", "", "ends within piece 1"},
		{"a piece is missing", lines[0] + lines[2] + lines[3], "piece 2 of 3 is"},
		{"pieces are swapped", lines[1] + lines[0] + lines[2] + lines[3], "piece 1 of 3 is"},
		{"the end is missing", lines[0] + lines[1] + lines[2], "end is"},
		{"the end is cut", good[:len(good)-2], "end is"},
		{"surplus", good + "x", "end is"},
		{"another version in the middle", lines[0] + string(Piece("v2", "s-1", 2, 3)) + lines[2] + lines[3], "piece 2 of 3 is"},
		{"another request", stream("v1", "s-2", 3), "answer of request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := CheckStream([]byte(tt.body), "s-1", 3)
			checkError(t, err, tt.wantErr)
		})
	}
}

func stream(version, nonce string, n int) string {
	var body []byte
	for i := 1; i <= n; i++ {
		body = append(body, Piece(version, nonce, i, n)...)
	}
	sum := sha256.Sum256(body)
	return string(append(body, End(version, nonce, sum[:])...))
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error = %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error = %v, want one with %q", err, want)
	}
}
