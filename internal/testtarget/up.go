package testtarget

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// up is what /up answers.
type up struct {
	mu         sync.Mutex
	status     int           // guarded by mu
	body       string        // guarded by mu
	readyAfter time.Duration // guarded by mu; zero once SetUp was called
	started    time.Time     // guarded by mu; of the first Listen
}

func (u *up) init(o Options) {
	u.status, u.body, u.readyAfter = o.UpStatus, o.UpBody, o.ReadyAfter
	if u.status == 0 {
		u.status = http.StatusOK
	}
	if u.body == "" && u.status == http.StatusOK {
		u.body = "OK"
	}
}

func (u *up) listening(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.started.IsZero() {
		u.started = now
	}
}

func (u *up) set(status int, body string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status, u.body, u.readyAfter = status, body, 0
}

func (u *up) answer(now time.Time) (status int, body, contentType string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	status, body = u.status, u.body
	if now.Sub(u.started) < u.readyAfter {
		status, body = http.StatusServiceUnavailable, `{"status":"starting","checks":{"ready":false}}`
	}
	if json.Valid([]byte(body)) {
		return status, body, "application/json"
	}
	return status, body, "text/plain"
}
