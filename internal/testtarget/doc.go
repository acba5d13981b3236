// Package testtarget is a scriptable target for tests and demos: it answers the
// verifiable requests of package payload, and it can be asked, while it runs, to
// be unhealthy, hang, reset, refuse, or die as if by SIGKILL.
//
//	target := testtarget.Start(t, testtarget.Options{Version: "v1"})
//	target.SetUp(503, `{"checks":{"database":false}}`)
//	target.SetMode(testtarget.Hang)
//	target.Kill()
//
// internal/testtarget/cmd is the same as a program, for tests that need a
// process to kill.
package testtarget
