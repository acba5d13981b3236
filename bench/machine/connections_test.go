package machine

import "testing"

func TestCountConnections(t *testing.T) {
	const text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:47E0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1161 1 0 100 0 0 10 0\n" +
		"   1: 0100007F:47E0 0100007F:99A8 01 00000000:00000000 00:00000000 00000000     0        0 1162 1 0 100 0 0 10 0\n" +
		"   2: 0100007F:47E0 0100007F:99A9 08 00000000:00000000 00:00000000 00000000     0        0 1163 1 0 100 0 0 10 0\n" +
		"   3: 0100007F:99A8 0100007F:47E0 01 00000000:00000000 00:00000000 00000000     0        0 1164 1 0 100 0 0 10 0\n" +
		"   4: 0100007F:47E0 0100007F:99AA 06 00000000:00000000 03:00000594 00000000     0        0 0 3 0\n"
	if got, want := countConnections(text, 18400), 2; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
