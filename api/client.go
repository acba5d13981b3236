package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// CodeUnreachable is the client's own: no proxyd answered at the socket.
const CodeUnreachable Code = "unreachable"

// Client calls one proxyd over its control socket. The zero value calls the one
// at DefaultSocket. It keeps no connection between calls and is safe for
// concurrent use. Every error it returns is an *Error.
type Client struct {
	// Socket is the path of the control socket. Empty means DefaultSocket.
	Socket string
}

// ProgressFunc is told what a waiting call sees. It is called from the
// goroutine of the call, in order; nil is allowed wherever it is asked for.
type ProgressFunc func(Progress)

// Version says which proxyd answers.
func (c *Client) Version(ctx context.Context) (answer VersionAnswer, err error) {
	err = c.get(ctx, PathVersion, &answer)
	return answer, err
}

// Status is the state of the daemon, services included.
func (c *Client) Status(ctx context.Context) (answer Status, err error) {
	err = c.get(ctx, PathStatus, &answer)
	return answer, err
}

// Services is every service, ordered by name.
func (c *Client) Services(ctx context.Context) ([]ServiceInfo, error) {
	var answer ServicesAnswer
	err := c.get(ctx, PathServices, &answer)
	return answer.Services, err
}

// Service is one service; CodeNotFound when there is none of that name.
func (c *Client) Service(ctx context.Context, name string) (answer ServiceInfo, err error) {
	if err := checkName(name); err != nil {
		return answer, err
	}
	err = c.get(ctx, ServicePath(name), &answer)
	return answer, err
}

// Metrics is the counters in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	resp, err := c.send(ctx, http.MethodGet, PathMetrics, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", c.explain(ctx, err)
	}
	return string(text), nil
}

// Deploy replaces the targets of a service and returns when the old ones are
// empty. Ending ctx cancels a deploy that was not published yet.
func (c *Client) Deploy(ctx context.Context, name string, req DeployRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbDeploy, req, progress)
}

// Add joins one more target once it is healthy.
func (c *Client) Add(ctx context.Context, name string, req AddRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbAdd, req, progress)
}

// Remove drains and forgets one target, or the whole service.
func (c *Client) Remove(ctx context.Context, name string, req RemoveRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbRemove, req, progress)
}

// Drain empties one target, or all of them, and keeps them in the set.
func (c *Client) Drain(ctx context.Context, name string, req DrainRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbDrain, req, progress)
}

// Pause holds new requests until Resume.
func (c *Client) Pause(ctx context.Context, name string, req PauseRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbPause, req, progress)
}

// Stop answers every request with the maintenance page until Resume.
func (c *Client) Stop(ctx context.Context, name string, req StopRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbStop, req, progress)
}

// Resume ends a pause or a stop.
func (c *Client) Resume(ctx context.Context, name string) (*Result, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var result Result
	if err := c.post(ctx, VerbPath(name, VerbResume), Done{}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Rollback deploys the previous set of targets again.
func (c *Client) Rollback(ctx context.Context, name string, req RollbackRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbRollback, req, progress)
}

// RolloutDeploy replaces the targets in the rollout slot of a service and returns
// when the old ones are empty.
func (c *Client) RolloutDeploy(ctx context.Context, name string, req RolloutDeployRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbRolloutDeploy, req, progress)
}

// RolloutSet says which requests the rollout targets take.
func (c *Client) RolloutSet(ctx context.Context, name string, req RolloutSetRequest) (*Result, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var result Result
	if err := c.post(ctx, VerbPath(name, VerbRolloutSet), req, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// RolloutStop sends every request to the active targets again, then drains and
// forgets those of the rollout.
func (c *Client) RolloutStop(ctx context.Context, name string, req RolloutStopRequest, progress ProgressFunc) (*Result, error) {
	return c.change(ctx, name, VerbRolloutStop, req, progress)
}

// Reload applies the config file again.
func (c *Client) Reload(ctx context.Context) error {
	return c.post(ctx, PathReload, Done{}, &Done{})
}

// Check asks whether text would be a good config file; path is how the file is
// named in the problems found.
func (c *Client) Check(ctx context.Context, path string, text []byte) error {
	return c.post(ctx, PathCheck, CheckRequest{Path: path, Text: string(text)}, &Done{})
}

// change makes one call that changes a service and reads its events.
func (c *Client) change(ctx context.Context, name string, verb Verb, req any, progress ProgressFunc) (*Result, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, http.MethodPost, VerbPath(name, verb), req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	events := json.NewDecoder(resp.Body)
	for {
		var event Event
		if err := events.Decode(&event); err != nil {
			return nil, c.explain(ctx, err)
		}
		switch {
		case event.Error != nil:
			return nil, event.Error
		case event.Result != nil:
			return event.Result, nil
		case event.Progress != nil && progress != nil:
			progress(*event.Progress)
		}
	}
}

// checkName catches the names that would make the path of another call.
func checkName(name string) error {
	switch name {
	case "", ".", "..":
		return &Error{Code: CodeInvalid, Message: fmt.Sprintf("%q is not a name of a service: give one such as web", name)}
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, answer any) error {
	return c.exchange(ctx, http.MethodGet, path, nil, answer)
}

func (c *Client) post(ctx context.Context, path string, req, answer any) error {
	return c.exchange(ctx, http.MethodPost, path, req, answer)
}

// exchange makes one call that does not stream.
func (c *Client) exchange(ctx context.Context, method, path string, req, answer any) error {
	resp, err := c.send(ctx, method, path, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return c.explain(ctx, err)
	}
	return nil
}

// send makes one request on a connection of its own and returns the answer when
// its status is 200; the caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, req any) (*http.Response, error) {
	body, err := encodeRequest(req)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://proxyd"+path, body)
	if err != nil {
		return nil, &Error{Code: CodeInvalid, Message: fmt.Sprintf("build the request for %q: %v", path, err)}
	}
	request.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DialContext: c.dial, DisableKeepAlives: true, DisableCompression: true}
	resp, err := transport.RoundTrip(request)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

func encodeRequest(req any) (io.Reader, error) {
	if req == nil {
		return http.NoBody, nil
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, &Error{Code: CodeInvalid, Message: fmt.Sprintf("encode the request: %v", err)}
	}
	return bytes.NewReader(body), nil
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", c.path())
}

func (c *Client) path() string {
	if c.Socket != "" {
		return c.Socket
	}
	return DefaultSocket()
}

// maxErrorBytes bounds what is read of an answer that says what went wrong.
const maxErrorBytes = 4 << 20

// readError turns an answer that is not 200 into what it says.
func readError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	var answer ErrorAnswer
	if json.Unmarshal(text, &answer) == nil && answer.Error != nil && answer.Error.Message != "" {
		return answer.Error
	}
	return &Error{
		Code:    CodeInternal,
		Message: fmt.Sprintf("proxyd answered %q without saying why: is the socket another program's?", resp.Status),
	}
}

// explain turns what went wrong with a connection into a sentence that says
// what to do.
func (c *Client) explain(ctx context.Context, err error) error {
	path := c.path()
	say := func(code Code, format string, args ...any) error {
		return &Error{Code: code, Message: fmt.Sprintf(format, args...), Flag: "--socket"}
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Code: CodeCanceled, Message: "canceled before proxyd had finished"}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return say(CodeTimeout, "proxyd at %s did not answer in time: is it busy or stopped?", path)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return say(CodeDenied, "may not use the control socket %s: run as root or as the user of proxyd, "+
			"or set --socket or %s", path, SocketVariable)
	case errors.Is(err, syscall.EINVAL) && len(path) > maxSocketPath:
		return say(CodeUnreachable, "path of the control socket is %d bytes long, more than the %d a socket may have: "+
			"set a shorter --socket or %s", len(path), maxSocketPath, SocketVariable)
	case isDialError(err):
		return say(CodeUnreachable, "cannot reach proxyd at %s: is it running? set --socket or %s%s",
			path, SocketVariable, c.hint())
	case isCut(err):
		return &Error{Code: CodeBusy, Message: fmt.Sprintf("proxyd at %s closed the connection before the call ended: "+
			"it was stopped or has too many calls at once; see what is live with proxyctl list", path)}
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) || strings.Contains(err.Error(), "malformed HTTP") {
		return say(CodeInternal, "answer at %s is not proxyd's: is the socket another program's, "+
			"or proxyd of another version? (%v)", path, err)
	}
	return &Error{Code: CodeInternal, Message: fmt.Sprintf("call proxyd at %s: %v", path, err)}
}

// maxSocketPath is the room of a unix socket's address, less its closing zero.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// isCut says that the other side went away in the middle.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// hint names the machine's own proxyd when the default went elsewhere because
// the caller may not look into its folder.
func (c *Client) hint() string {
	system := SystemSocket()
	if c.Socket != "" || c.path() == system {
		return ""
	}
	if _, err := os.Lstat(system); errors.Is(err, syscall.EACCES) {
		return fmt.Sprintf(" (the proxyd of this machine may be at %s, which only root or its user can use)", system)
	}
	return ""
}
