package main

import (
	"testing"
	"time"
)

func TestThousands(t *testing.T) {
	for want, n := range map[string]int64{"0": 0, "999": 999, "1,000": 1000, "48,123": 48123, "1,234,567": 1234567} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1.23ms": 1234 * time.Microsecond,
		"123ms":  123456 * time.Microsecond,
		"3.21s":  3210987 * time.Microsecond,
		"12.3s":  12345 * time.Millisecond,
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestFirstListener(t *testing.T) {
	for _, text := range []string{`{"listeners":["127.0.0.1:80"]}`, `{"listeners":["http://127.0.0.1:80","x"]}`} {
		if got, err := firstListener(text); got != "127.0.0.1:80" || err != nil {
			t.Errorf("firstListener(%s) = %q, %v, want 127.0.0.1:80", text, got, err)
		}
	}
	if _, err := firstListener(`{"listeners":[]}`); err == nil {
		t.Error("firstListener of none succeeded")
	}
}
