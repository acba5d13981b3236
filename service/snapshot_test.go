package service

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"upfront/api"
)

// savedRegistry is one that is never run, so nothing is probed.
func savedRegistry(t testing.TB, path string) *Registry {
	t.Helper()
	r, err := New(Options{StatePath: path})
	if err != nil {
		t.Fatal(err)
	}
	if r.store != nil {
		t.Cleanup(r.store.close)
	}
	return r
}

// stored returns a state file of n services that was written twice, so that it
// has a backup that says the same.
func stored(t testing.TB, n int) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state.json")
	r := savedRegistry(t, path)
	for range 2 {
		if err := r.commit(func(d *draft) error { return fill(r, d, n) }); err != nil {
			t.Fatal(err)
		}
		// Make the second commit a change.
		if err := r.commit(func(d *draft) error {
			e := d.entries["service-0"].clone()
			e.gate = api.GateState{State: "stopped", Message: "x"}
			return d.put(e)
		}); err != nil {
			t.Fatal(err)
		}
	}
	r.store.close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

func fill(r *Registry, d *draft, n int) error {
	for i := range n {
		name := fmt.Sprintf("service-%d", i)
		spec := api.Spec{Hosts: []string{name + ".example.com"}}.WithDefaults()
		members, _ := r.newMembers(name, spec, []api.Target{{Address: fmt.Sprintf("10.0.0.1:%d", i+1), Weight: 1}}, 1)
		if err := d.put(&entry{live: newService(name, spec, onDisk{}, slot{members: members}, r.newLasting())}); err != nil {
			return err
		}
	}
	return nil
}

func restart(t testing.TB, path string) (names []string, status api.StateStatus) {
	t.Helper()
	r, err := New(Options{StatePath: path})
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	defer r.store.close()
	return r.world.Load().names, r.StateStatus()
}

func TestRegistry_restore_everything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "state.json")
	r, stop := startRegistry(t, Options{StatePath: path})
	if got := r.StateStatus(); got.Source != "none" || got.Problem != "" {
		t.Errorf("first start: got %+v, want source none", got)
	}
	a, b := startApp(t, 200), startApp(t, 200)
	spec := quick("a.example.com")
	spec.Policy = api.PolicyTwoChoices
	mustDeploy(t, r, "web", spec, a)
	mustDeploy(t, r, "web", spec, b)
	if _, err := r.Stop(t.Context(), "web", api.StopRequest{Message: "back soon"}, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := r.Service("web")
	stop()

	again, _ := startRegistry(t, Options{StatePath: path})
	if got := again.StateStatus(); got.Source != "file" || got.Problem != "" {
		t.Errorf("second start: got %+v, want source file", got)
	}
	after, _ := again.Service("web")
	if got := after.Targets[0].Health; got != "healthy" {
		t.Errorf("health before the first probe: got %s, want healthy", got)
	}
	if after.Gate != "stopped" || after.Message != "back soon" || after.Spec.Policy != before.Spec.Policy ||
		after.Previous[0].Address != a.address || addresses(again, "web") != b.address {
		t.Errorf("got %+v, want what was saved: %+v", after, before)
	}
	if got := match(again, "a.example.com"); got != "web" {
		t.Errorf("match: got %q, want web", got)
	}
	seen := b.probes.Load()
	eventually(t, "restored targets are probed", func() bool { return b.probes.Load() > seen })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: got %v, %v, want mode 0600", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state folder: got %v, %v, want mode 0700", info.Mode(), err)
	}
}

func TestNew_secondOnOneStateFile(t *testing.T) {
	path, _ := stored(t, 1)
	savedRegistry(t, path)
	_, err := New(Options{StatePath: path})
	if err == nil || !strings.Contains(err.Error(), "in use by another proxyd") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestRegistry_restore_fromBackup(t *testing.T) {
	path, data := stored(t, 3)
	if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	names, status := restart(t, path)
	if len(names) != 3 || status.Source != "backup" || !strings.Contains(status.Problem, "damaged") {
		t.Errorf("got %v, %+v, want everything from the backup", names, status)
	}
	if kept, err := os.ReadFile(path + ".bad"); err != nil || !bytes.Equal(kept, data[:len(data)/2]) {
		t.Errorf("the damaged file was not kept: %v", err)
	}
	// The next write must not make the damaged file the backup.
	r := savedRegistry(t, path)
	if err := r.commit(func(d *draft) error { d.remove("service-1"); return nil }); err != nil {
		t.Fatal(err)
	}
	r.store.close()
	if names, status := restart(t, path); len(names) != 2 || status.Source != "file" {
		t.Errorf("after a write: got %v, %+v", names, status)
	}
	if _, err := os.Stat(path + ".bak"); err != nil {
		t.Error(err)
	}
}

func TestRegistry_restore_missingFileWithBackup(t *testing.T) {
	path, _ := stored(t, 2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if names, status := restart(t, path); len(names) != 2 || status.Source != "backup" || status.Problem == "" {
		t.Errorf("got %v, %+v, want the backup", names, status)
	}
}

func TestRegistry_restore_salvagesServiceByService(t *testing.T) {
	path, data := stored(t, 4)
	broken := bytes.Replace(data, []byte("10.0.0.1:2"), []byte("10.0.0.1:9"), 1)
	write(t, path, broken)
	write(t, path+".bak", broken[:bytes.Index(broken, []byte("service-2"))])
	names, status := restart(t, path)
	want := []string{"service-0", "service-2", "service-3"}
	if !slices.Equal(names, want) || status.Source != "partial" {
		t.Errorf("got %v, %+v, want %v", names, status, want)
	}
	if !strings.Contains(status.Problem, "number 2 is lost") {
		t.Errorf("problem: got %q, want it to name what is lost", status.Problem)
	}
	for _, name := range []string{path + ".bad", path + ".bak.bad"} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("not kept: %v", err)
		}
	}
}

func TestRegistry_restore_salvagedOutlivesTheNextRestart(t *testing.T) {
	path, data := stored(t, 3)
	write(t, path, bytes.Replace(data, []byte("10.0.0.1:2"), []byte("10.0.0.1:9"), 1))
	if err := os.Remove(path + ".bak"); err != nil {
		t.Fatal(err)
	}
	want := []string{"service-0", "service-2"}
	if names, status := restart(t, path); !slices.Equal(names, want) || status.Source != "partial" {
		t.Errorf("got %v, %+v, want %v", names, status, want)
	}
	if names, status := restart(t, path); !slices.Equal(names, want) || status.Source != "file" {
		t.Errorf("once more: got %v, %+v, want %v", names, status, want)
	}
}

func TestRegistry_restore_nothingSalvagedIsToldAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	write(t, path, []byte("scrambled"))
	for run := range 2 {
		names, status := restart(t, path)
		if len(names) != 0 || status.Source != "partial" || !strings.Contains(status.Problem, path+".bad") {
			t.Errorf("run %d: got %v, %+v, want to be told of the damaged file", run, names, status)
		}
	}
}

func TestRegistry_restore_serviceThatCannotBe(t *testing.T) {
	path, data := stored(t, 3)
	var lines [][]byte
	for line := range bytes.Lines(data) {
		if bytes.Contains(line, []byte(`"service-1"`)) {
			body := bytes.Replace(bytes.TrimRight(line, ",\n"), []byte("service-1.example"), []byte("service-0.example"), 1)
			line = append(resum(body), ",\n"...)
		}
		lines = append(lines, line)
	}
	write(t, path, reseal(bytes.Join(lines, nil), 1))
	names, status := restart(t, path)
	if !slices.Equal(names, []string{"service-0", "service-2"}) || status.Source != "partial" ||
		!strings.Contains(status.Problem, `"service-1" is lost`) {
		t.Errorf("got %v, %+v, want the other two", names, status)
	}
}

func TestNew_laterVersionIsLeftAlone(t *testing.T) {
	path, data := stored(t, 1)
	later := reseal(bytes.Replace(data, []byte(`"version":1`), []byte(`"version":2`), 1), 2)
	write(t, path, later)
	_, err := New(Options{StatePath: path})
	if err == nil || !strings.Contains(err.Error(), "later proxyd") {
		t.Fatalf("got %v, want a refusal", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, later) {
		t.Errorf("the file was touched: %v", err)
	}
}

// Never a crash, never a silent empty start: a cut file is either refused as a
// whole, or says the same.
func TestDecodeState_cutAnywhere(t *testing.T) {
	_, data := stored(t, 2)
	for cut := range data {
		_, err := decodeState(data[:cut])
		whole := cut == len(data)-1 // all but the last newline
		if (err == nil) != whole || errors.Is(err, errLater) {
			t.Fatalf("cut at %d: got %v", cut, err)
		}
		for _, rec := range salvage(data[:cut]).records {
			if !strings.HasPrefix(rec.Name, "service-") || len(rec.Targets) != 1 {
				t.Fatalf("cut at %d: salvaged %+v", cut, rec)
			}
		}
	}
}

func TestDecodeState_flippedBytes(t *testing.T) {
	_, data := stored(t, 3)
	good, err := decodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for run := range 1000 {
		bad := flipped(data, random)
		c, err := decodeState(bad)
		if errors.Is(err, errLater) {
			t.Fatalf("run %d: a flipped byte made it a later version", run)
		}
		if err == nil && (len(c.lost) > 0 || !reflect.DeepEqual(c.records, good.records)) {
			t.Fatalf("run %d: damage was believed: %+v", run, c)
		}
		for _, rec := range salvage(bad).records {
			if !slices.ContainsFunc(good.records, func(o record) bool { return reflect.DeepEqual(o, rec) }) {
				t.Fatalf("run %d: salvaged what was never there: %+v", run, rec)
			}
		}
	}
}

func flipped(data []byte, random *rand.Rand) []byte {
	bad := slices.Clone(data)
	for range 1 + random.IntN(3) {
		bad[random.IntN(len(bad))] ^= byte(1 + random.IntN(255))
	}
	return bad
}

func TestRegistry_restore_cutOrFlipped(t *testing.T) {
	path, data := stored(t, 3)
	random := rand.New(rand.NewPCG(3, 4))
	for run := range 60 {
		bad := flipped(data, random)
		if run%2 == 0 {
			bad = data[:random.IntN(len(data)-1)]
		}
		backup := run%4 < 2
		clean(t, path)
		write(t, path, bad)
		if backup {
			write(t, path+".bak", data)
		}
		names, status := restart(t, path)
		if len(names) != 3 && (status.Problem == "" || backup) {
			t.Fatalf("run %d: got %v, %+v", run, names, status)
		}
	}
}

func TestDecodeState_whatEncodeStateWrote(t *testing.T) {
	_, data := stored(t, 2)
	c, err := decodeState(data)
	if err != nil || len(c.records) != 2 || len(c.lost) != 0 {
		t.Fatalf("got %+v, %v", c, err)
	}
	if got := c.records[0].Gate.Message; got != "x" {
		t.Errorf("gate message: got %q, want x", got)
	}
	if _, err := decodeState(nil); err == nil || errors.Is(err, errLater) {
		t.Errorf("empty: got %v, want an error", err)
	}
}

func FuzzDecodeState(f *testing.F) {
	_, data := stored(f, 2)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte(`{"version":1,"checksum":"","services":[]}`))
	f.Add([]byte(`{"version":9}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeState(data)
		if err != nil {
			c = salvage(data)
		}
		r, _ := New(Options{})
		d := r.world.Load().draft()
		for _, rec := range c.records {
			_ = r.revive(d, rec)
		}
		if _, err := d.finish(); err != nil {
			t.Fatalf("what was read cannot be published: %v", err)
		}
	})
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// clean removes the state file and all that lies beside it.
func clean(t testing.TB, path string) {
	t.Helper()
	beside, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range beside {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// reseal gives a changed state file the checksum that fits it.
func reseal(data []byte, version int) []byte {
	start := bytes.IndexByte(data, '[')
	end := bytes.LastIndexByte(data, ']')
	services := data[start : end+1]
	return fmt.Appendf(nil, `{"version":%d,"checksum":"%s","services":%s}`, version, checksum(version, services), services)
}

// resum gives a changed line the checksum that fits it.
func resum(line []byte) []byte {
	body := line[:len(line)-sumLen]
	return fmt.Appendf(slices.Clone(body), "%s%08x%s", sumKey, crc(body), sumEnd)
}
