package hostilesuite

import "strings"

// judge returns what is wrong with what the client saw; "" is nothing.
type judge func(s *seen, token string) string

// refused wants a 502.
func refused(s *seen, _ string) string {
	if s.err == nil && s.answer.status == 502 {
		return ""
	}
	return s.String()
}

// cut wants that nobody takes the answer for a whole one: an abnormal end, or an
// error of the proxy where nothing had been passed on yet.
func cut(s *seen, _ string) string {
	switch {
	case s.err == nil && s.answer.status >= 500 && s.answer.status <= 504:
		return ""
	case s.err != nil && (how(s.err) == "closed" || how(s.err) == "reset"):
		return ""
	}
	return s.String()
}

// givenUp wants a 504 or 502 in time.
func givenUp(s *seen, _ string) string {
	if s.err == nil && (s.answer.status == 504 || s.answer.status == 502) && s.took < 2*TargetTimeout+TargetTimeout/2 {
		return ""
	}
	return s.String()
}

// cutInTime is cut, and soon.
func cutInTime(s *seen, token string) string {
	if wrong := cut(s, token); wrong != "" {
		return wrong
	}
	if s.took > 2*TargetTimeout+TargetTimeout/2 {
		return s.String()
	}
	return ""
}

// passes wants a whole answer of that status and body.
func passes(status int, body string, also ...judge) judge {
	return func(s *seen, token string) string {
		if s.err != nil || s.answer.status != status || string(s.answer.body) != strings.ReplaceAll(body, "{token}", token) {
			return s.String()
		}
		return both(also...)(s, token)
	}
}

// harmless wants a 502, an abnormal end, or one of these bodies, whole, in an
// answer that is well formed: where the RFC lets a recipient repair what came.
func harmless(bodies ...string) judge {
	return func(s *seen, token string) string {
		if cut(s, token) == "" {
			return ""
		}
		for _, body := range bodies {
			if passes(200, body)(s, token) == "" {
				return ""
			}
		}
		return s.String()
	}
}

// both wants what all of them want.
func both(judges ...judge) judge {
	return func(s *seen, token string) string {
		for _, j := range judges {
			if wrong := j(s, token); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

// either wants what one of them wants.
func either(judges ...judge) judge {
	return func(s *seen, token string) string {
		for _, j := range judges {
			if j(s, token) == "" {
				return ""
			}
		}
		return s.String()
	}
}

// without wants none of these fields in the head and the trailers.
func without(names ...string) judge {
	return func(s *seen, _ string) string {
		for _, name := range names {
			if s.answer.has(name) || has(s.answer.trailers, name) {
				return s.String() + ", with " + name
			}
		}
		return ""
	}
}

// deliveredOnce wants that the target got the request no more than once.
func deliveredOnce(s *seen, _ string) string {
	if s.times > 1 {
		return s.String() + ", and the target got it twice"
	}
	return ""
}

// soon wants that nothing was waited for.
func soon(s *seen, _ string) string {
	if s.took > TargetTimeout {
		return s.String()
	}
	return ""
}
