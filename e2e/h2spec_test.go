package e2e

import (
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// h2specCases is how many cases h2spec v2.2.1 has.
const h2specCases = 146

// knownFailures are the cases of h2spec that fail without TLS, and why they cannot be
// ours to fix. docs/http2.md has the same list.
var knownFailures = map[string]string{
	"http2/3.5: Sends invalid connection preface":                                                                   "on a listener that speaks HTTP/1.1 as well, what is no preface is a bad request, and answered as one",
	"http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                            "net/http hangs up on SETTINGS that name one parameter twice",
	"http2/8.1.2.2: Sends a HEADERS frame that contains the connection-specific header field":                       "net/http answers 400, as RFC 9113 §8.1.1 allows",
	"http2/8.1.2.2: Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"": "the same",
}

// TestH2spec runs where UPFRONT_H2SPEC names the program; make h2spec does that.
func TestH2spec(t *testing.T) {
	program := os.Getenv("UPFRONT_H2SPEC")
	if program == "" {
		t.Skip("no UPFRONT_H2SPEC: make h2spec runs it")
	}
	p := startProxy(t, withH2C)
	app := startApp(t, "v1")
	p.do(t, "deploy", "web", "--target", app.address)
	judgeH2spec(t, program, p.address, knownFailures)
}

// judgeH2spec compares what fails with what is known to.
func judgeH2spec(t *testing.T, program, address string, known map[string]string, flags ...string) {
	hostname, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "junit.xml")
	args := append([]string{"--strict", "-h", hostname, "-p", port, "-P", "/payload", "-j", file, "-o", itoa(int(slack(2 * time.Second).Seconds()))}, flags...)
	out, _ := exec.CommandContext(t.Context(), program, args...).CombinedOutput() // fails where a case does
	report, err := readH2spec(file)
	if err != nil {
		t.Fatalf("run h2spec: %v\n%s", err, out)
	}
	cases, failed := 0, map[string]string{}
	for _, suite := range report.Suites {
		for _, c := range suite.Cases {
			cases++
			if c.Skipped != nil {
				t.Errorf("%s: %s: skipped", c.Package, c.Name)
			}
			if c.Failure+c.Error != "" {
				failed[c.Package+": "+c.Name] = c.Failure + c.Error
			}
		}
	}
	t.Logf("h2spec --strict: %d of %d cases pass", cases-len(failed), cases)
	if cases != h2specCases {
		t.Errorf("ran %d cases, want %d", cases, h2specCases)
	}
	for name, why := range failed {
		if reason, ok := known[name]; ok {
			t.Logf("%s: fails as is known: %s", name, reason)
			continue
		}
		t.Errorf("%s: %s", name, why)
	}
	for name := range known {
		if failed[name] == "" {
			t.Errorf("%s: passes by now: take it off the list, here and in docs/http2.md", name)
		}
	}
}

type h2specReport struct {
	Suites []struct {
		Cases []struct {
			Package string    `xml:"package,attr"`
			Name    string    `xml:"classname,attr"`
			Failure string    `xml:"failure"`
			Error   string    `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func readH2spec(file string) (r h2specReport, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	return r, xml.Unmarshal(b, &r)
}
