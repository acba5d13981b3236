// Package e2e holds black-box tests of the built programs: proxyd and proxyctl as
// users run them, with apps as processes or containers that are really killed.
//
//	make e2e                          everything, in sizes for CI
//	UPFRONT_E2E_FULL=1 make e2e       the sizes that are promised
//	go test ./e2e -run TestDeploy -v
//
// The programs are built once, with the race detector where a C compiler allows
// it; UPFRONT_E2E_RACE=0 builds them as they are released, which the tests that
// report times want. UPFRONT_E2E_BUFFERED=1 has bodies buffered where Docker runs
// the apps. UPFRONT_E2E_REPORTS names a folder for what the load saw, as
// JSON. The tests in docker_test.go need a Docker daemon: without one they are
// skipped, or fail when CI is set. `make e2e-real` runs real_test.go.
package e2e
