package proxy

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"
)

func TestAppendJSON(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{"/a/long/path/without/anything/special", "/a/long/path/without/anything/special"},
		{`"`, `\"`},
		{`12345678"`, `12345678\"`},
		{`1234567"`, `1234567\"`},
		{`a\b`, `a\\b`},
		{"\x00\x1f\x7f", `\u0000\u001f` + "\x7f"},
		{"a\tb\nc\rd\be\f", `a\tb\nc\rd\u0008e\u000c`},
		{"grüße, 世界, \u2028", "grüße, 世界, \u2028"},
		{"\xff", `\ufffd`},
		{"abc\xe4\xb8", `abc\ufffd\ufffd`},
		{"\xed\xa0\x80", `\ufffd\ufffd\ufffd`}, // half a surrogate pair
		{"\ufffd", "\ufffd"},
		{"<script>&'", "<script>&'"},
	} {
		if got := string(appendJSON([]byte("before "), c.in)); got != "before "+c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, "before "+c.want)
		}
	}
}

// Every byte at every place of a word, and of what comes behind the last one.
func TestAppendJSON_findsEveryByteAtEveryPlace(t *testing.T) {
	for c := range 256 {
		for at := range 19 {
			in := strings.Repeat("~", at) + string([]byte{byte(c)}) + strings.Repeat(" ", 18-at)
			judgeJSON(t, in)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	for _, seed := range []string{"", "plain text", "\"\\\n\r\t\x00", "grüße\xff\xe4\xb8", "\u2028\x7f</script>", "1234567\x80", "\xf0\x9f\x98\x80 smile"} {
		f.Add(seed)
	}
	f.Fuzz(judgeJSON)
}

// judgeJSON holds what we write against encoding/json, and against zap, which wrote
// the access log once: byte for byte the same.
func judgeJSON(t *testing.T, in string) {
	t.Helper()
	got := append(appendJSON([]byte{'"'}, in), '"')
	if !json.Valid(got) || !utf8.Valid(got) {
		t.Fatalf("%q: %q is no JSON", in, got)
	}
	theirs, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var read, want string
	if err := json.Unmarshal(got, &read); err != nil {
		t.Fatalf("%q: decode %q: %v", in, got, err)
	}
	if err := json.Unmarshal(theirs, &want); err != nil {
		t.Fatal(err)
	}
	if read != want {
		t.Fatalf("%q: decodes to %q, want %q", in, read, want)
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{SkipLineEnding: true})
	line, err := encoder.EncodeEntry(zapcore.Entry{}, []zapcore.Field{{Key: "k", Type: zapcore.StringType, String: in}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"k":` + string(got) + `}`; line.String() != want {
		t.Fatalf("%q: got %q, zap writes %q", in, want, line)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"},
		{"path", "/articles/42/comments"},
		{"quotes", strings.Repeat(`"`, 64)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			out := make([]byte, 0, 1024)
			for b.Loop() {
				out = appendJSON(out[:0], c.text)
			}
		})
	}
}
