package control

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
)

// peer is who is at the other end of a connection, as the kernel recorded it
// when they connected.
type peer struct {
	uid    int
	groups []int // the primary one and the supplementary ones
}

// Admit returns nil when the other side of conn may use the control socket: root,
// the user of this process, or a member of the configured group (by the groups
// that its process has, primary or supplementary).
func (l *Listener) Admit(conn *net.UnixConn) error {
	p, err := peerOf(conn)
	if err != nil {
		return fmt.Errorf("find out who connects to the control socket: %w", err)
	}
	return p.allowed(os.Geteuid(), l.gid)
}

func (p peer) allowed(uid, gid int) error {
	if p.uid == 0 || p.uid == uid || gid != noGroup && slices.Contains(p.groups, gid) {
		return nil
	}
	if gid == noGroup {
		return fmt.Errorf("uid %d may not use the control socket: run as root or as uid %d", p.uid, uid)
	}
	return fmt.Errorf("uid %d may not use the control socket: run as root, as uid %d or as a member of group %d", p.uid, uid, gid)
}

// peerOf asks the kernel.
func peerOf(conn *net.UnixConn) (peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var p peer
	var askErr error
	if err := raw.Control(func(fd uintptr) { p, askErr = peerOfDescriptor(int(fd)) }); err != nil {
		return peer{}, err
	}
	return p, askErr
}

// lookupGroup returns the number of a group given by name or number, noGroup for
// "".
func lookupGroup(name string) (int, error) {
	if name == "" {
		return noGroup, nil
	}
	if gid, err := strconv.Atoi(name); err == nil && gid >= 0 {
		return gid, nil
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return noGroup, fmt.Errorf("group %q of the control socket is not known: make it or name another one", name)
	}
	return strconv.Atoi(group.Gid)
}
