package engine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cachekey/internal/dotsame"
)

const (
	// defaultGrace is how long an interrupted task may take to end.
	defaultGrace = 10 * time.Second

	// patience is how long an interrupted task may take before a warning says
	// that it still runs.
	patience = time.Second

	// lingering is how long to wait for output of a process that has left the
	// task's process group.
	lingering = time.Second

	// reaping is how long killed processes may take to end.
	reaping = time.Second
)

// A group is the process group of a task's command, which leads a session: it has
// no controlling terminal, so opening /dev/tty fails. A process that waited for
// the terminal would stop forever, because the terminal belongs to same.
type group struct {
	id    int           // of the command's process, its group and its session
	ended chan struct{} // closed when the command has ended and has been waited for
}

// endWith returns when the command has ended. If ctx is done first, it ends the
// process group, waits for every process in it, and kills it after the grace
// period or when kill is closed. It calls waiting if that takes long.
func (g *group) endWith(ctx context.Context, grace time.Duration, kill <-chan struct{}, waiting func()) {
	select {
	case <-g.ended:
		return
	case <-ctx.Done():
	}
	g.signal(syscall.SIGTERM)
	g.signal(syscall.SIGCONT) // a stopped process receives no other signal
	long, enough := time.After(patience), time.After(grace)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for g.running() {
		select {
		case <-poll.C:
			continue
		case <-long:
			waiting()
			continue
		case <-kill:
		case <-enough:
		}
		g.signal(syscall.SIGKILL)
		<-g.ended
		return
	}
}

// kill kills what is left of the group after its command has ended.
func (g *group) kill() {
	for deadline := time.Now().Add(reaping); ; time.Sleep(time.Millisecond) {
		g.signal(syscall.SIGKILL)
		if !g.running() || time.Now().After(deadline) {
			return
		}
	}
}

func (g *group) signal(s syscall.Signal) { _ = syscall.Kill(-g.id, s) }

// running reports whether the command or another process of its group is running.
//
// A process whose parent has ended becomes a child of same, where the system has
// subreapers or same is process 1. running waits for those, and for no other
// child. A process that has ended and that its parent has not waited for is not
// running.
func (g *group) running() bool {
	select {
	case <-g.ended:
	default:
		return true // exec.Cmd waits for it
	}
	for {
		if pid, err := syscall.Wait4(-g.id, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
			break
		}
	}
	return !errors.Is(syscall.Kill(-g.id, 0), syscall.ESRCH) && !onlyZombies(g.id)
}

// groups are the process groups of all running tasks.
type groups struct {
	starting sync.RWMutex // held while a command is started, and by stopWithUs while same is stopped
	mu       sync.Mutex
	all      map[*group]bool
}

// start starts a command. While ^Z stops same it waits: a command that is started, but
// not yet listed, would go on.
func (gs *groups) start(cmd *exec.Cmd) (*group, error) {
	gs.starting.RLock()
	defer gs.starting.RUnlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &group{id: cmd.Process.Pid, ended: make(chan struct{})}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.all == nil {
		gs.all = make(map[*group]bool)
	}
	gs.all[g] = true
	return g, nil
}

func (gs *groups) remove(g *group) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	delete(gs.all, g)
}

func (gs *groups) signal(s syscall.Signal) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for g := range gs.all {
		g.signal(s)
	}
}

// stopWithUs stops the tasks when the terminal stops same (^Z), and continues them
// when the shell continues same (fg, bg). The terminal's signal does not reach the
// tasks, which are in other sessions.
func (gs *groups) stopWithUs() (done func()) {
	if signal.Ignored(syscall.SIGTSTP) {
		return func() {}
	}
	stop, cont := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTSTP)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-stop:
			}
			if isOrphaned() {
				continue
			}
			gs.starting.Lock()
			gs.signal(syscall.SIGSTOP)
			signal.Notify(cont, syscall.SIGCONT)
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // Go cannot restore the default of SIGTSTP
			select {
			case <-cont:
			case <-end: // every task has ended
			}
			signal.Stop(cont)
			gs.signal(syscall.SIGCONT)
			gs.starting.Unlock()
		}
	}()
	return func() {
		signal.Stop(stop)
		close(end)
		<-ended
	}
}

// isOrphaned reports whether no shell could continue same if it were stopped: the
// parent of its process group's leader is in another session, or not known. The
// kernel does not let a terminal stop such a group.
func isOrphaned() bool {
	leader := syscall.Getpgrp()
	parent := os.Getppid()
	if leader != os.Getpid() {
		parent = dotsame.ParentOf(leader)
	}
	ours, err := unix.Getsid(0)
	if err != nil || parent <= 0 {
		return true
	}
	its, err := unix.Getsid(parent)
	return err != nil || its != ours
}
