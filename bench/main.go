package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"upfront/bench/machine"
	"upfront/bench/report"
	"upfront/bench/target"
	"upfront/bench/wire"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "target" {
		listener, err := wire.Listen(args[1])
		if err != nil {
			return err
		}
		return target.Serve(listener)
	}
	if len(args) == 2 && args[0] == "streams" {
		return serveStreams(args[1])
	}
	if len(args) == 4 && args[0] == "slow" {
		return runSlow(args[1], args[2], args[3])
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if err := pin(o); err != nil {
		return err
	}
	err = machine.Check(o.port, o.port+1, o.port+2, o.port+3)
	if errors.Is(err, machine.ErrDocker) && o.smoke {
		fmt.Fprintln(os.Stderr, "warning:", err)
	} else if err != nil {
		return err
	}
	for i := range o.runs {
		for _, log := range o.logs() {
			if err := measure(o, args, i, log); err != nil {
				return err
			}
		}
	}
	return nil
}

// pin moves this process to the core of the load, by becoming itself under taskset.
func pin(o options) error {
	const pinned = "UPFRONT_BENCH_PINNED"
	// The thread of the load must not wait for goroutines that do other things.
	runtime.GOMAXPROCS(4)
	if os.Getenv(pinned) != "" {
		return os.Unsetenv(pinned)
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return errors.New("the bench pins with taskset: install util-linux")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, load, _ := o.core()
	return syscall.Exec(taskset, append([]string{"taskset", "-c", load, self}, os.Args[1:]...), append(os.Environ(), pinned+"=1"))
}

// measure is one run over all scenarios.
func measure(o options, args []string, number int, log bool) error {
	b, err := newBench(o, log)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer endWithSignals(b.dir)()
	b.result.Command = strings.Join(append([]string{"go run ./bench"}, args...), " ")
	chosen, err := o.chosen()
	if err != nil {
		return err
	}
	name := resultName(o, number, log)
	earlier, err := report.Read(o.results, name)
	if err != nil {
		return err
	}
	if earlier != nil {
		if err := b.result.Fits(earlier); err != nil {
			return err
		}
	}
	for _, s := range chosen {
		fmt.Fprintf(os.Stderr, "\n%s: %s\n", s.name, s.about)
		if err := s.run(b); err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
	}
	if len(b.result.Figures) == 0 {
		return nil // scenarios that judge write their own tables
	}
	if earlier != nil {
		b.result.Join(earlier)
	}
	fmt.Fprint(os.Stdout, "\n", b.result.Table())
	return b.result.Write(o.results, name)
}

// endWithSignals leaves no proxy behind when somebody interrupts the bench; the function
// that it returns ends that.
func endWithSignals(dir string) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, came := <-signals; came {
			machine.EndDescendants(os.Getpid())
			os.RemoveAll(dir)
			os.Exit(1)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// resultName is that of the files of one run.
func resultName(o options, number int, log bool) string {
	name := o.into
	if name == "" {
		name = time.Now().UTC().Format("2006-01-02-150405")
	}
	if o.runs > 1 {
		name += fmt.Sprintf("-run%d", number+1)
	}
	if log {
		name += "-log"
	}
	return name
}
