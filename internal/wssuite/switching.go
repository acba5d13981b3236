package wssuite

import "strings"

// switches are about upgrades that must not be, and answers to none.
var switches = []Case{
	{Name: "upgrade: h2c never reaches the target", run: notShown("Connection: Upgrade, HTTP2-Settings\r\n"+
		"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "h2c", "http2-settings")},
	{Name: "upgrade: HTTP/2.0 never reaches the target", run: notShown("Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", "http/2.0")},
	{Name: "upgrade: TLS never reaches the target", run: notShown("Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", "tls/1.2")},
	{Name: "upgrade: h2c beside websocket never reaches the target", run: notShown("Connection: Upgrade\r\n"+
		"Upgrade: websocket, h2c\r\n"+keyLines, "h2c")},
	{Name: "upgrade: h2c in a second line never reaches the target", run: notShown(upgradeLines+"Upgrade: h2c\r\n"+keyLines, "h2c")},
	{Name: "upgrade: one that Connection does not name is none", run: notShown("Upgrade: websocket\r\n"+keyLines, "upgrade:")},
	{Name: "upgrade: a POST is no WebSocket handshake", run: func(p *pair) {
		client := p.dial()
		client.send(p.request("POST "+p.path+" HTTP/1.1", upgradeLines+keyLines+"Content-Length: 0\r\n"))
		p.notSwitched(client)
	}},
	{Name: "upgrade: a HEAD is no WebSocket handshake", run: func(p *pair) {
		client := p.dial()
		client.send(p.request("HEAD "+p.path+" HTTP/1.1", upgradeLines+keyLines))
		p.notSwitched(client)
	}},
	{Name: "upgrade: HTTP/1.0 knows none", run: func(p *pair) {
		client := p.dial()
		client.send(p.request("GET "+p.path+" HTTP/1.0", upgradeLines+keyLines))
		p.notSwitched(client)
	}},
	{Name: "101: that nobody asked for is 502", run: wrongSwitch("", answer)},
	{Name: "101: to another protocol than was asked is 502", run: wrongSwitch(upgradeLines+keyLines,
		switching+"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")},
	{Name: "101: to one of several protocols is 502", run: wrongSwitch(upgradeLines+keyLines,
		switching+"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"+acceptLine+"\r\n")},
	{Name: "101: without Upgrade is 502", run: wrongSwitch(upgradeLines+keyLines,
		switching+"Connection: Upgrade\r\n"+acceptLine+"\r\n")},
	{Name: "101: with Upgrade that Connection does not name is 502", run: wrongSwitch(upgradeLines+keyLines,
		switching+"Upgrade: websocket\r\n"+acceptLine+"\r\n")},
	{Name: "101: in HTTP/1.0 is 502", run: wrongSwitch(upgradeLines+keyLines,
		strings.Replace(answer, "HTTP/1.1", "HTTP/1.0", 1))},
	{Name: "101: that broke off is 502", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		target.send(answer[:len(answer)-3])
		_ = target.Close()
		client.refused()
	}},
	{Name: "101: a body that it announces is not there", run: func(p *pair) {
		client := p.dial()
		client.send(p.handshake(""))
		target := p.accept()
		target.send(switching + upgradeLines + acceptLine + "Content-Length: 5\r\n\r\n" + unmasked(opText, "hello world"))
		if head := client.switched(); strings.Contains(strings.ToLower(head), "content-length") {
			failf("client got a Content-Length with the 101")
		}
		client.want(unmasked(opText, "hello world"))
		client.pass(target, masked(opText, "hi"))
	}},
}

// notShown sends lines of which the target must not see words.
func notShown(lines string, words ...string) func(*pair) {
	return func(p *pair) {
		client := p.dial()
		client.send(p.request("GET "+p.path+" HTTP/1.1", lines))
		lacks(p.accept().head, words...)
	}
}

// notSwitched has the target switch all the same, which the client must not see.
func (p *pair) notSwitched(client *side) {
	target := p.accept()
	target.send(answer + unmasked(opText, "bytes of a tunnel that must not be"))
	head, _ := readHead(client.r)
	if strings.Contains(firstLine(head), " 101 ") {
		failf("client got %q", firstLine(head))
	}
}

// wrongSwitch is a target that answers a request with lines by a 101 that must not
// pass, and whose connection must not be used again.
func wrongSwitch(lines, answer string) func(*pair) {
	return func(p *pair) {
		client := p.dial()
		client.send(p.request("GET "+p.path+" HTTP/1.1", lines))
		target := p.accept()
		target.send(answer)
		client.refused()
		target.isGone(p.soon())
	}
}
