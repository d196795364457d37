//go:build unix

package p2p

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// setBacklog bounds the connections that wait until they are accepted.
func setBacklog(l net.Listener, n int) error {
	s, ok := l.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	err = raw.Control(func(fd uintptr) { lerr = unix.Listen(int(fd), n) })
	return errors.Join(err, lerr)
}
