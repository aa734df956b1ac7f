package media

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const pollerAvailable = true

func newPoller(s *Shard) (poller, error) {
	if s.portable {
		return newChanPoller(), nil
	}
	return newEpoll()
}

// pollBatch is how many ready sockets one wake-up serves: at about 5 us each they
// delay a tick by a third of a slot at most.
const pollBatch = 64

// epollPoller waits in the kernel. Sockets are level-triggered and one datagram is
// taken a readiness: reading until EAGAIN would cost a second system call for
// nearly every packet.
type epollPoller struct {
	ep, bell int        // bell is the eventfd that wakes the wait
	table    []Readable // by descriptor
	events   [pollBatch]unix.EpollEvent
	ts       kernelTimespec
	coarse   bool // the kernel has no epoll_pwait2 (before 5.11)
}

// kernelTimespec is what epoll_pwait2 takes, also on 32-bit systems.
type kernelTimespec struct{ sec, nsec int64 }

func newEpoll() (*epollPoller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return nil, err
	}
	p := &epollPoller{ep: ep, bell: bell}
	// Edge-triggered: each write rings once, and nobody has to read it away.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(bell)}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, bell, &ev); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *epollPoller) dispatch(n int) {
	for i := range p.events[:n] {
		fd := int(p.events[i].Fd)
		if fd < len(p.table) {
			if r := p.table[fd]; r != nil {
				r.Readable()
			}
		}
	}
}

// wait waits in the kernel. A wait of 0 stays on the thread's Go
// processor (RawSyscall); a longer one hands it back to the scheduler.
func (p *epollPoller) wait(d time.Duration) int {
	var (
		n uintptr
		e unix.Errno
	)
	evs := uintptr(unsafe.Pointer(&p.events[0]))
	switch {
	case d == 0:
		n, _, e = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.ep), evs, pollBatch, 0, 0, 0)
	case d > 0 && !p.coarse:
		p.ts = kernelTimespec{int64(d / time.Second), int64(d % time.Second)}
		n, _, e = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.ep), evs, pollBatch, uintptr(unsafe.Pointer(&p.ts)), 0, 0)
		if e == unix.ENOSYS || e == unix.EPERM {
			p.coarse = true
			return 0
		}
	default:
		ms := -1
		if d > 0 {
			ms = int((d + time.Millisecond - 1) / time.Millisecond)
		}
		n, _, e = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.ep), evs, pollBatch, uintptr(ms), 0, 0)
	}
	if e != 0 {
		return 0
	}
	return int(n)
}

func (p *epollPoller) wake() {
	one := [8]byte{1} // any non-zero count; byte order does not matter
	_, _ = unix.Write(p.bell, one[:])
}

func (p *epollPoller) watch(fd int, r Readable) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	err := unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, fd, &ev)
	if errors.Is(err, unix.EEXIST) {
		err = nil
	}
	if err != nil {
		return err
	}
	for fd >= len(p.table) {
		p.table = append(p.table, nil)
	}
	p.table[fd] = r
	return nil
}

func (p *epollPoller) unwatch(fd int) {
	if fd < len(p.table) && p.table[fd] != nil {
		p.table[fd] = nil
		_ = unix.EpollCtl(p.ep, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

func (p *epollPoller) close() {
	_ = unix.Close(p.ep)
	_ = unix.Close(p.bell)
}
