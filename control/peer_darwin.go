package control

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func peerOfDescriptor(fd int) (peer, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return peer{}, fmt.Errorf("read LOCAL_PEERCRED: %w", err)
	}
	p := peer{uid: int(cred.Uid)}
	for i := range min(int(cred.Ngroups), len(cred.Groups)) {
		p.groups = append(p.groups, int(cred.Groups[i]))
	}
	return p, nil
}
