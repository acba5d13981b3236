package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"upfront/bench/load"
	"upfront/bench/machine"
)

// slowAttack is a process that has slow clients.
type slowAttack struct {
	cmd    *exec.Cmd
	wanted int
	in     io.Closer     // nil for slowhttptest; its end ends the generator
	out    *bufio.Reader // of the generator
	held   sync.WaitGroup
	quit   chan struct{} // closed by stop
	ended  bool
	became load.SlowResult // valid after stop
}

// toolShare is the part of the time for which slowhttptest may run, in percent: it
// would take a core whole, which an attacker on another machine does not.
const toolShare = 20

// startSlow starts slow clients on the core of the load, where all others go first.
func (b *bench) startSlow(kind load.Slowness, address string, tool bool) (*slowAttack, error) {
	if _, err := exec.LookPath("chrt"); err != nil {
		return nil, errors.New("the slow clients run when nobody else wants to, by chrt: install util-linux")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(b.sizes.slow)
	args := []string{self, "slow", kind.Name, address, n}
	if tool {
		args = slices.Concat([]string{"slowhttptest", "-c", n, "-r", "2500", "-l", "60", "-p", "5", "-v", "0", "-u", "http://" + address + "/1m"}, kind.Flags)
	}
	_, core, _ := b.core()
	a := &slowAttack{wanted: b.sizes.slow, quit: make(chan struct{})}
	a.cmd = exec.Command("chrt", append([]string{"--idle", "0", "taskset", "-c", core}, args...)...)
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	a.cmd.Stderr = os.Stderr
	if tool {
		a.cmd.Stderr = nil
		if err := a.cmd.Start(); err != nil {
			return nil, err
		}
		a.held.Go(a.hold)
		return a, nil
	}
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.out = bufio.NewReader(out)
	return a, a.cmd.Start()
}

// hold lets the process run for its share of the time.
func (a *slowAttack) hold() {
	const turn = 20 * time.Millisecond
	for {
		for _, step := range []struct {
			signal syscall.Signal
			lasts  time.Duration
		}{{syscall.SIGSTOP, turn * (100 - toolShare) / 100}, {syscall.SIGCONT, turn * toolShare / 100}} {
			_ = syscall.Kill(-a.cmd.Process.Pid, step.signal)
			select {
			case <-a.quit:
				return
			case <-time.After(step.lasts):
			}
		}
	}
}

// openWithin is how long slow clients may take to be there.
const openWithin = 30 * time.Second

// await waits until all slow clients are connected to a port, or, for slowhttptest, as
// many as there will be.
func (a *slowAttack) await(port int) error {
	if a.out != nil {
		line, err := a.out.ReadString('\n')
		if line != slowOpened {
			return errors.Join(fmt.Errorf("open slow connections: %q", line), err)
		}
		return nil
	}
	most := 0
	for end := time.Now().Add(openWithin); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		n, err := machine.Connections(port)
		if err != nil || n >= a.wanted*99/100 || n < most {
			return err
		}
		most = n
	}
	return nil // the row of those that are held tells
}

// stop ends the slow clients, once.
func (a *slowAttack) stop() error {
	if a.ended {
		return nil
	}
	a.ended = true
	close(a.quit)
	a.held.Wait()
	if a.in == nil {
		stop(a.cmd)
		return nil
	}
	_ = a.in.Close()
	err := json.NewDecoder(a.out).Decode(&a.became)
	stop(a.cmd)
	return err
}

// slowOpened is what the generator says once all its clients are connected.
const slowOpened = "opened\n"

// runSlow is the process that has slow clients; it ends when its input does.
func runSlow(name, address, number string) error {
	n, err := strconv.Atoi(number)
	i := slices.IndexFunc(load.Slownesses, func(s load.Slowness) bool { return s.Name == name })
	if err != nil || i < 0 {
		return fmt.Errorf("no slow clients %q %q", name, number)
	}
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	became, err := load.RunSlow(load.Slownesses[i], address, n, func() { fmt.Print(slowOpened) }, stop)
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(became))
}
