package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"upfront/api"
)

// listenAddressProblem says what is wrong with an address to listen on, or "".
func listenAddressProblem(written string) string {
	host, port, err := net.SplitHostPort(written)
	if err != nil {
		return "is not an address: write :PORT or HOST:PORT"
	}
	if !portOK(port, 0) {
		return "has no port from 0 to 65535: write :PORT or HOST:PORT"
	}
	if host != "" && !hostNameOK(host) {
		if _, err := netip.ParseAddr(host); err != nil {
			return "has no IP address or name before its port: write :PORT or HOST:PORT"
		}
	}
	return ""
}

// targetAddressProblem says what is wrong with the address of a target, or "".
func targetAddressProblem(written string) string {
	if strings.Contains(written, "://") || strings.HasPrefix(written, "unix:") {
		if _, err := api.ReadAddress(written); err != nil {
			return "is not a target: write HOST:PORT alone, or with http://, https://, h2c:// or h2://, or unix:/PATH"
		}
		return ""
	}
	host, port, err := net.SplitHostPort(written)
	if err != nil {
		return "has no port: write HOST:PORT"
	}
	if !portOK(port, 1) {
		return "has no port from 1 to 65535: write HOST:PORT"
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostNameOK(host) {
		return "has no IP address or name before its port: write HOST:PORT"
	}
	return ""
}

func portOK(written string, low uint64) bool {
	port, err := strconv.ParseUint(written, 10, 16)
	return err == nil && port >= low && strconv.FormatUint(port, 10) == written
}

// hostNameOK also accepts the underscores of container names.
func hostNameOK(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
				return false
			}
		}
	}
	return true
}
