package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketOptions say where the control socket is and who may use it.
type SocketOptions struct {
	// Path of the socket, usually api.DefaultSocket(). Required.
	Path string
	// Group, by name or number, whose members may use the socket besides root
	// and the user of proxyd. Empty is none.
	Group string
}

// Listener is the control socket and who may come in. It is a net.Listener that
// accepts everybody whom the file's mode lets connect; Server asks Admit.
type Listener struct {
	*net.UnixListener
	path  string      // set once; empty for an adopted listener
	file  fs.FileInfo // of the socket that was made; set once
	gid   int         // of the configured group, -1 for none; set once
	close sync.Once
	err   error // of the close; set inside close
}

const (
	noGroup = -1
	// maxSocketPath is the room in a unix socket's address, less its closing zero.
	maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1
	// aliveTimeout is how long the owner of an existing socket has to accept.
	aliveTimeout = time.Second
)

// Listen makes the control socket. It fails when a proxyd listens there already,
// when something that is not a socket is in the way, and when somebody else could
// replace the socket.
func Listen(o SocketOptions) (*Listener, error) {
	path, err := checkPath(o.Path)
	if err != nil {
		return nil, err
	}
	gid, err := lookupGroup(o.Group)
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(filepath.Dir(path), gid)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	// Two that start at the same moment would both find the old socket dead, and
	// the second would remove the first one's new socket.
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock folder %s: %w", folder.Name(), err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	return bind(path, gid)
}

// Adopt makes a Listener of a socket that somebody else made, such as one that
// systemd passed. Its file is left alone on Close.
func Adopt(ln *net.UnixListener, group string) (*Listener, error) {
	gid, err := lookupGroup(group)
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	return &Listener{UnixListener: ln, gid: gid}, nil
}

// Path is where the socket is; empty for an adopted one.
func (l *Listener) Path() string { return l.path }

// Close stops listening and removes the socket file, if it is still the one that
// Listen made: a proxyd that started meanwhile keeps its own.
func (l *Listener) Close() error {
	l.close.Do(func() {
		if l.path != "" {
			if now, err := os.Lstat(l.path); err == nil && os.SameFile(l.file, now) {
				l.err = os.Remove(l.path)
			}
		}
		l.err = errors.Join(l.UnixListener.Close(), l.err)
	})
	return l.err
}

func checkPath(path string) (string, error) {
	if path == "" {
		return "", errors.New("path of the control socket is empty: set --socket")
	}
	if path[0] == '@' {
		return "", fmt.Errorf("control socket %q has no file, so its mode protects nothing: set --socket to a path", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find control socket %q: %w", path, err)
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("path of the control socket is %d bytes long and a socket may have %d: set a shorter --socket than %q",
			len(path), maxSocketPath, path)
	}
	return path, nil
}

// openFolder makes the folder when it is missing and refuses one in which
// another user could put a socket of their own in the place of ours.
func openFolder(path string, gid int) (*os.File, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(path, gid); err != nil {
			return nil, err
		}
	}
	folder, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open folder of the control socket: %w", err)
	}
	info, err := folder.Stat()
	if err == nil {
		err = checkFolder(path, info)
	}
	if err != nil {
		folder.Close()
		return nil, err
	}
	return folder, nil
}

func makeFolder(path string, gid int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder of the control socket: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder of the control socket: %w", err)
	}
	if gid == noGroup {
		return nil
	}
	// The group must be able to reach the socket, not to list or change the folder.
	if err := os.Chown(path, -1, gid); err != nil {
		return fmt.Errorf("give folder %s to the group of the control socket: %w", path, err)
	}
	if err := os.Chmod(path, 0o710); err != nil {
		return fmt.Errorf("open folder %s to the group of the control socket: %w", path, err)
	}
	return nil
}

func checkFolder(path string, info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder: set --socket to a path in one", path)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("every user may change folder %s: take that away (chmod o-w) or set --socket to a path elsewhere", path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return fmt.Errorf("folder %s belongs to uid %d: set --socket to a path in a folder of your own", path, stat.Uid)
	}
	return nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at control socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way and is not a socket: remove it or set another --socket", path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), aliveTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another proxyd is running on %s: stop it or set another --socket", path)
	}
	// Only a refused connection proves that nobody listens; a full backlog or a
	// missing permission does not.
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("another proxyd may be running on %s: stop it or set another --socket: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale control socket: %w", err)
	}
	return nil
}

// umaskMu guards the umask, which belongs to the whole process.
var umaskMu sync.Mutex

func bind(path string, gid int) (*Listener, error) {
	umaskMu.Lock()
	before := unix.Umask(0o177)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(before)
	umaskMu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false)
	l := &Listener{UnixListener: ln, path: path, gid: gid}
	if l.file, err = os.Lstat(path); err != nil {
		ln.Close()
		return nil, fmt.Errorf("look at control socket: %w", err)
	}
	if gid == noGroup {
		return l, nil
	}
	err = os.Chown(path, -1, gid)
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("give control socket to its group: %w", err), l.Close())
	}
	return l, nil
}
