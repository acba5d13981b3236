package testtarget

// TB is what Start needs of a *testing.T; it keeps package testing out of the
// program in cmd.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// Start returns a target that listens, and closes it when the test ends.
func Start(tb TB, o Options) *Target {
	tb.Helper()
	t := New(o)
	if err := t.Listen(); err != nil {
		tb.Fatalf("start target: %v", err)
	}
	tb.Cleanup(t.Close)
	return t
}
