package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// askTimeout bounds one question.
const askTimeout = 2 * time.Second

// errRefused: the answer was no.
var errRefused = errors.New("it was refused")

// Dial connects for one question. Nil goes to the address of the question by itself.
type Dial func(ctx context.Context) (net.Conn, error)

// asker makes every request on a connection of its own, and goes where it is told to.
func asker(dial Dial) *http.Client {
	to := &http.Transport{DisableKeepAlives: true}
	if dial != nil {
		to.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	}
	return &http.Client{
		Transport:     to,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Ask gets address with ?host=NAME added to it; 200 is a yes, any other status a no. host
// is the Host header; empty is address's own. It goes over dial.
func Ask(ctx context.Context, dial Dial, address, host, name string) error {
	to, err := url.Parse(address)
	if err != nil {
		return err
	}
	query := to.Query()
	query.Set("host", name)
	to.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return err
	}
	request.Host = host
	request.Header.Set("User-Agent", "upfront")
	answer, err := asker(dial).Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // nothing in it counts
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: GET %s: %d", errRefused, to, answer.StatusCode)
	}
	return nil
}
