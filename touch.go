package signet

import (
	"github.com/signet-go/signet/internal/compact"
	"github.com/signet-go/signet/internal/jwe"

	"strings"
)

// The idle clock is a cookie of its own, NAME.t: a token of kind touch over the session's id,
// about 76 characters. Sealing the data anew on a read would write it as it was when that
// request left, and so undo a parallel write and even a log-out.

// lastTouch is when the idle clock of an opened session was last written, 0 if it
// was not. The error is ErrExpired for a session that has been idle for too long.
func (m *Manager[T]) lastTouch(in *received, o opened) (int64, error) {
	if m.cfg.IdleTimeout == 0 {
		return 0, nil
	}
	failed := ErrExpired
	for _, text := range in.touches {
		touch, err := m.keys.open(m.touch, text, nil)
		if err == nil && string(touch.data) == string(o.session.id[:]) {
			return touch.issued, nil
		}
		if err == ErrUnknownKey || err == ErrClockSkew {
			failed = err // sealed by an instance that is ahead of this one
		}
	}
	// The data itself was written by somebody who was not idle: that keeps sessions
	// from before IdleTimeout was configured, and one whose touch cookie got lost just now.
	if m.keys.now().Unix() <= o.issued+m.idleAllowance() {
		return 0, nil
	}
	return 0, failed
}

// idleAllowance is how long a touch counts: with a tenth added, since it is written at most once
// in a tenth, and the skew, so that nobody is idle too early by another's clock. Seconds.
func (m *Manager[T]) idleAllowance() int64 {
	skew := int64(0)
	if g := m.keys.ring.Load(); g != nil {
		skew = seconds(g.policy.skew())
	}
	return wholeSeconds(m.cfg.IdleTimeout+m.cfg.IdleTimeout/10) + skew
}

// touchLines appends the line of the idle clock where one is due: after a write, or a tenth
// of the timeout after the last.
func (m *Manager[T]) touchLines(lines []string, s *Session[T], now int64, written bool) ([]string, error) {
	idle := m.cfg.IdleTimeout
	if idle == 0 || !written && s.touched != 0 && now < s.touched+seconds(idle/10) {
		return lines, nil
	}
	g, err := m.keys.state()
	if err != nil {
		return lines, err
	}
	scratch := getScratch()
	defer scratch.put()
	end := min(now+m.idleAllowance(), now+seconds(g.policy.life()))
	token, _, err := m.keys.seal(scratch, g, Compact, m.touch, content{expires: end, data: s.head.id[:]}, now)
	if err != nil {
		return lines, err
	}
	s.touched = now
	lines = m.cookie.setTouch(lines, token, s.maxAge(now))
	lines = m.cookie.expireTwins(lines, 1<<touchIndex)
	return lines, nil
}

// mayBeNew reports whether a token of an unknown key may have been sealed since bound. A
// JWE of another producer does not say when it was; it may.
func mayBeNew(token string, bound int64) bool {
	if head, ok := compact.Peek(token); ok {
		return int64(head.IssuedAt) >= bound
	}
	part, _, _ := strings.Cut(token, ".")
	head, ok := jwe.ParseHeader(part)
	return ok && (head.IssuedAt == 0 || int64(head.IssuedAt) >= bound)
}
