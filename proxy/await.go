package proxy

import "time"

// await reads what the client sends next, within the limits of a body. A client that
// waits for a 100 has body_timeout until there is one, for it may send without; the
// time that is its own begins with the 100.
func (u *upload) await(x *exchange) error {
	for {
		asked := u.asked.Load()
		timeout, began := u.patience(x, asked), time.Now()
		x.c.armRead(began, timeout)
		if u.halt.Load() { // or stop comes now, and its deadline after ours
			return errUploadStopped
		}
		if asked && !u.asked.Load() { // or its deadline comes after ours, too
			continue
		}
		had := u.reader.have
		err := u.reader.more()
		if asked && !u.asked.Load() {
			asked, began = false, time.Unix(0, u.invited.Load())
			timeout = u.patience(x, asked)
			x.c.readBy = time.Time{} // invite sets another
		}
		waited := time.Since(began)
		if !asked {
			u.pace.came(u.reader.have-had, waited)
		}
		switch {
		case err == nil || !timedOut(err) || u.halt.Load():
			return err
		case asked && x.c.asksItself():
			u.invite(x) // if it has not been, it is any moment
		case !asked && u.pace.tooSlow() && !x.lasts:
			return errTooSlow
		case timeout >= 0 && waited < timeout:
			x.c.readBy = time.Time{} // that deadline was for the wait before
		default:
			return err
		}
	}
}

// patience is how long the client may be silent now, negative for ever.
func (u *upload) patience(x *exchange, asked bool) time.Duration {
	switch {
	case asked && x.c.asksItself():
		return patience
	case x.lasts:
		return x.settings.TunnelTimeout
	case asked:
		return x.settings.BodyTimeout
	}
	return x.settings.within(&u.pace)
}

// within is how long a client of this pace may be silent, negative for ever.
func (s *Settings) within(p *pace) time.Duration {
	if left := p.left(); left >= 0 && (s.BodyTimeout < 0 || left < s.BodyTimeout) {
		return left
	}
	return s.BodyTimeout
}

// invite notes that the client was sent a 100. What waits for its body may do so
// for longer than it has now; a deadline that lies ahead disturbs no other read.
func (u *upload) invite(x *exchange) {
	now := time.Now()
	u.invited.CompareAndSwap(0, now.UnixNano())
	if !u.asked.CompareAndSwap(true, false) || x.c.asksItself() || x.lasts {
		return
	}
	// Nothing has come, and run may be at work on its own pace by now.
	fresh := pace{rate: x.settings.BodyRate, grace: x.settings.BodyGrace}
	if timeout := x.settings.within(&fresh); timeout >= 0 {
		_ = x.c.SetReadDeadline(now.Add(timeout + slack(timeout)))
	}
}

// asksItself reports whether the connection sends a 100 of its own after patience:
// that of a stream.
func (c *client) asksItself() bool {
	_, ok := c.Conn.(*streamConn)
	return ok
}
