package wssuite

import (
	"strings"
	"time"
)

// handshakes are about the request and what answers it.
var handshakes = []Case{
	{Name: "handshake: reaches both sides", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake("Origin: https://suite.test\r\n"))
		target := p.accept()
		hasAnyCase(target.head, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Version: 13\r\n",
			"Upgrade: websocket\r\n", "Origin: https://suite.test\r\n")
		target.send(answer)
		hasAnyCase(client.switched(), acceptLine, "Upgrade: websocket\r\n")
	}},
	{Name: "handshake: subprotocols and extensions are kept", run: func(p *pair) {
		const asked = "Sec-WebSocket-Protocol: chat,  superchat;v=\"2, b\"\r\n"
		const extensions = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other;a=\"b\"\r\n"
		const chosen = "Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
		client := p.dial()
		client.send(p.handshake(asked + extensions))
		target := p.accept()
		hasAnyCase(target.head, asked, extensions)
		target.send(switching + upgradeLines + acceptLine + chosen + "\r\n")
		hasAnyCase(client.switched(), strings.SplitAfter(chosen, "\r\n")[:2]...)
	}},
	{Name: "handshake: names of fields keep their case", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake("sec-websocket-PROTOCOL: Chat\r\nX-oDD: 1\r\n"))
		target := p.accept()
		has(target.head, "sec-websocket-PROTOCOL: Chat\r\n", "X-oDD: 1\r\n", "Sec-WebSocket-Key: ")
		target.send(switching + upgradeLines + "sec-WebSocket-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-bACK: 1\r\n\r\n")
		has(client.switched(), "sec-WebSocket-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "X-bACK: 1\r\n")
	}},
	{Name: "handshake: cookies of the 101 are kept, each in its line", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		p.accept().send(switching + upgradeLines + acceptLine + "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n\r\n")
		hasAnyCase(client.switched(), "Set-Cookie: a=1\r\n", "Set-Cookie: b=2; Path=/\r\n")
	}},
	{Name: "handshake: query and path arrive byte for byte", run: func(p *pair) {
		client := p.dial()
		client.send(strings.Replace(p.handshake(""), p.path+" ", p.path+"?token=a%2Fb%20c&x=[1]&y=//../ ", 1))
		if target := p.accept(); !strings.HasPrefix(target.head, "GET "+p.path+"?token=a%2Fb%20c&x=[1]&y=//../ HTTP/1.1\r\n") {
			failf("target got %q", firstLine(target.head))
		}
	}},
	{Name: "handshake: tokens in any case and in a list", run: func(p *pair) {
		client := p.dial()
		client.send(p.request("GET "+p.path+" HTTP/1.1", "Connection: keep-alive, UPGRADE\r\nUpgrade: WebSocket\r\n"+keyLines))
		target := p.accept()
		hasAnyCase(target.head, "Upgrade: ")
		target.send(switching + "upgrade: WebSocket\r\nconnection: foo,uPGRADE\r\n" + acceptLine + "\r\n")
		client.switched()
		client.pass(target, masked(opText, "hi"))
	}},
	{Name: "handshake: the request in single bytes", run: func(p *pair) {
		client := p.dial()
		client.send(strings.Split(p.handshake(""), "")...)
		target := p.accept()
		target.send(answer)
		client.switched()
		client.pass(target, masked(opText, "hi"))
	}},
	{Name: "handshake: the 101 in single bytes", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		target.send(strings.Split(answer+unmasked(opText, "first"), "")...)
		client.switched()
		client.want(unmasked(opText, "first"))
		client.pass(target, masked(opText, "hi"))
	}},
	{Name: "handshake: a target that takes its time", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		client.isOpen(time.Second)
		target.send(answer)
		client.switched()
		target.pass(client, unmasked(opText, "hi"))
	}},
	{Name: "handshake: an early hint before the 101", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		target.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + answer)
		if hint := client.response(); !strings.HasPrefix(hint, "HTTP/1.1 103 ") {
			failf("client got %q, want 103", firstLine(hint))
		}
		client.switched()
		client.pass(target, masked(opText, "hi"))
	}},
	{Name: "refusal: 400 with a body reaches the client", run: refusal("400 Bad Request", 400, "")},
	{Name: "refusal: 403 with a body reaches the client", run: refusal("403 Forbidden", 403, "")},
	{Name: "refusal: 426 says the version to the client", run: refusal("426 Upgrade Required", 426, "Sec-WebSocket-Version: 13, 8\r\n")},
	{Name: "refusal: 426 says the protocol to the client", run: func(p *pair) {
		client := p.dial()
		client.send(p.request("GET "+p.path+" HTTP/1.1", ""))
		target := p.accept()
		target.send("HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
		_ = target.Close()
		hasAnyCase(client.response(), "Upgrade: websocket\r\n") // RFC 9110 §15.5.22
	}},
	{Name: "refusal: a redirect reaches the client", run: refusal("302 Found", 302, "Location: /login\r\n")},
	{Name: "refusal: 200 instead of a switch is an answer, and the connection goes on", run: func(p *pair) {
		client := p.dial()
		for range 2 {
			client.send(p.handshake(""))
			target := p.accept()
			target.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
			_ = target.Close()
			if status, body := client.answered(); status != 200 || body != "no" {
				failf("client got %d %q", status, body)
			}
		}
	}},
}

// refusal is a target that answers the handshake with a status, a line and a body.
func refusal(status string, code int, line string) func(*pair) {
	return func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		// It closes: a kept connection would bring it the request of another case.
		target.send("HTTP/1.1 " + status + "\r\n" + line + "Content-Length: 6\r\nConnection: close\r\n\r\nreason")
		_ = target.Close()
		head := client.response()
		if !strings.HasPrefix(head, "HTTP/1.1 "+status+"\r\n") {
			failf("client got %q, want %d", firstLine(head), code)
		}
		if line != "" {
			hasAnyCase(head, line)
		}
		client.want("reason")
	}
}
