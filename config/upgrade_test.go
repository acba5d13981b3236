package config

import (
	"reflect"
	"testing"
)

func TestParse_upgrades_areTheProtocolsBesidesWebSocket(t *testing.T) {
	for text, want := range map[string][]string{
		"upgrades: [WebSocket, tcp, SPDY/3.1]": {"tcp", "SPDY/3.1"},
		"upgrades: websocket":                  nil,
		"upgrades: tcp":                        {"tcp"},
		"upgrades:":                            nil,
	} {
		file, err := Parse("proxy.yml", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(file.Upgrades, want) {
			t.Errorf("%s: got %q, want %q", text, file.Upgrades, want)
		}
	}
}
