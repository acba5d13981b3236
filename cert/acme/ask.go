package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// askTimeout bounds one question.
const askTimeout = 2 * time.Second

// errRefused: the answer was no.
var errRefused = errors.New("it was refused")

// asker makes every request on a connection of its own, and goes where it is told to.
var asker = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Ask gets address with ?host=NAME added to it; 200 is a yes, any other status a no. host
// is the Host header; empty is address's own.
func Ask(ctx context.Context, address, host, name string) error {
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
	answer, err := asker.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // nothing in it counts
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: GET %s: %d", errRefused, to, answer.StatusCode)
	}
	return nil
}
