package control

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

func peerOfDescriptor(fd int) (peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, fmt.Errorf("read SO_PEERCRED: %w", err)
	}
	p := peer{uid: int(cred.Uid), groups: []int{int(cred.Gid)}}
	// Kernels before 4.13 do not tell the supplementary groups; the primary one
	// counts there.
	for _, gid := range peerGroups(fd) {
		p.groups = append(p.groups, int(gid))
	}
	return p, nil
}

// peerGroups reads SO_PEERGROUPS, for which golang.org/x/sys/unix has no call.
func peerGroups(fd int) []uint32 {
	groups := make([]uint32, 64)
	for range 2 { // the second time with as much room as the kernel asked for
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4]
		case unix.ERANGE:
			groups = make([]uint32, size/4+1)
		default:
			return nil
		}
	}
	return nil
}
