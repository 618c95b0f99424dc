package signet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// Handler makes the session of each request available to next through [Manager.Get], and
// saves it at the last moment: when the response begins, or when next returns
// without one. Only changes are written, and a request that does not ask for its session
// pays nothing.
//
// A handler that panics saves nothing. A change after the response has begun is lost, which is
// logged. If saving fails, Config.ErrorHandler answers, and what next writes is not sent.
// After a Hijack nothing is saved; call Save before an upgrade.
//
// Put [http.TimeoutHandler] outside this Handler. Inside, a handler that runs into
// the time-out may still be using its session, which is then not saved.
func (m *Manager[T]) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(m) != nil {
			next.ServeHTTP(w, r) // nested: the outer one saves
			return
		}
		x := &exchange[T]{m: m, w: w, outer: r}
		x.ctx = sessionContext[T]{r.Context(), x}
		if h := w.Header(); len(h) > 0 {
			x.before = h.Clone()
		}
		withContext(&x.req, r, &x.ctx)
		next.ServeHTTP(x, &x.req)
		x.finish() // not deferred: a panic saves nothing
	})
}

// withContext is WithContext into memory that is there already: WithContext is inlined
// here, its copy stays on the stack, and a request costs one allocation instead of two.
func withContext(dst, r *http.Request, ctx context.Context) { *dst = *r.WithContext(ctx) }

// Get is the session of the request whose context this is. It is the same one for
// every call of a request. It panics if the request did not come through Handler.
func (m *Manager[T]) Get(ctx context.Context) *Session[T] {
	x, ok := ctx.Value(m).(*exchange[T])
	if !ok {
		panic("signet: Get outside Handler: wrap the server's handler with this Manager's Handler, and pass the request's context")
	}
	return x.get(ctx)
}

// sessionContext carries the exchange. The key is the Manager.
type sessionContext[T any] struct {
	context.Context
	x *exchange[T]
}

func (c *sessionContext[T]) Value(key any) any {
	if m, ok := key.(*Manager[T]); ok && m == c.x.m {
		return c.x
	}
	return c.Context.Value(key)
}

// exchange is one request and its response: the writer that saves at the last
// moment, the request that next sees, and its context, in one piece.
type exchange[T any] struct {
	m      *Manager[T]
	w      http.ResponseWriter
	outer  *http.Request
	before http.Header // as next found it; nil if it was empty
	ctx    sessionContext[T]
	req    http.Request

	// A handler under http.TimeoutHandler runs on a goroutine of its own.
	mu       sync.Mutex
	session  *Session[T]
	derived  context.Context // the last one with a deadline of its own that Get was called with
	begun    bool            // the response has; or the connection was hijacked
	hijacked bool
	failed   error
}

func (x *exchange[T]) get(ctx context.Context) *Session[T] {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.session == nil {
		x.session = x.m.Load(x.outer)
		x.session.done = x.begun
	}
	if _, ends := ctx.Deadline(); ends && ctx != context.Context(&x.ctx) {
		x.derived = ctx
	}
	return x.session
}

// begin saves the session, once, before the first octet of the response. It
// returns the error that the error handler has answered with.
func (x *exchange[T]) begin() error {
	x.mu.Lock()
	if x.begun {
		defer x.mu.Unlock()
		return x.failed
	}
	x.begun = true
	s := x.session
	if s == nil {
		x.mu.Unlock()
		return nil
	}
	if x.abandoned() {
		x.mu.Unlock()
		x.m.observe(x.outer.Context(), Event{Kind: "abandoned", Path: pathOf(&x.req)})
		x.m.warnOnce(x.outer.Context(), "signet: a handler that timed out may still be using its session, which was not saved; put http.TimeoutHandler outside of signet's Handler", "path", pathOf(&x.req))
		return nil
	}
	x.mu.Unlock() // an Observer may call Get
	x.failed = x.m.save(x.w.Header(), &x.req, s)
	s.done = true
	if x.failed != nil {
		x.answerFailure()
	}
	return x.failed
}

// abandoned reports whether the goroutine that got the session may still be using it, so that
// reading a map of it would end the process: http.TimeoutHandler answers by itself
// when the context that it derived is past its deadline, or when the client has gone. A
// context that was merely cancelled is a handler's own, which it does on returning.
func (x *exchange[T]) abandoned() bool {
	if x.derived == nil || x.derived.Err() == nil {
		return false
	}
	return errors.Is(x.derived.Err(), context.DeadlineExceeded) || x.outer.Context().Err() != nil
}

// answerFailure lets the error handler answer with the header as it was when next began:
// no ETag, Location or public of a page that is not sent.
func (x *exchange[T]) answerFailure() {
	h := x.w.Header()
	clear(h)
	for name, values := range x.before {
		h[name] = values
	}
	if answer := x.m.cfg.ErrorHandler; answer != nil {
		answer(x.w, &x.req, x.failed)
		return
	}
	x.m.logger().ErrorContext(x.outer.Context(), "signet: the session could not be saved", "error", x.failed, "path", pathOf(&x.req))
	http.Error(x.w, "the session could not be saved", http.StatusInternalServerError)
}

// finish saves if the handler wrote nothing, and looks for changes that came too late.
func (x *exchange[T]) finish() {
	if x.begin() != nil {
		return
	}
	x.mu.Lock()
	s, gone := x.session, x.abandoned()
	x.mu.Unlock()
	if s == nil || gone {
		return
	}
	if s.late || x.changedLate(s) {
		x.m.observe(x.outer.Context(), Event{Kind: "lost", Path: pathOf(&x.req)})
		x.m.logger().WarnContext(x.outer.Context(), "signet: a change to the session came after the response had begun and is lost; change it before the first Write", "path", pathOf(&x.req))
	}
}

func (x *exchange[T]) changedLate(s *Session[T]) bool {
	if s.destroyed {
		return false
	}
	room := buffers.Get().(*[]byte)
	defer buffers.Put(room)
	body, err := x.m.codec.encode((*room)[:0], &s.Data)
	if err != nil {
		return true
	}
	*room = body
	if s.last == nil {
		return string(body) != string(x.m.codec.empty)
	}
	return !bytes.Equal(body, s.last) && (s.exact || !x.m.codec.same(body, s.last))
}

// Header is that of the underlying writer.
func (x *exchange[T]) Header() http.Header { return x.w.Header() }

// WriteHeader saves before a final status. An informational one leaves the header open.
func (x *exchange[T]) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		x.w.WriteHeader(status)
		return
	}
	if x.begin() == nil {
		x.w.WriteHeader(status)
	}
}

// Write saves before the first octet. It returns the error of a failed save ever after.
func (x *exchange[T]) Write(b []byte) (int, error) {
	if err := x.begin(); err != nil {
		return 0, err
	}
	return x.w.Write(b)
}

// WriteString is Write.
func (x *exchange[T]) WriteString(s string) (int, error) {
	if err := x.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(x.w, s)
}

// ReadFrom keeps sendfile where the underlying writer has it.
func (x *exchange[T]) ReadFrom(src io.Reader) (int64, error) {
	if err := x.begin(); err != nil {
		return 0, err
	}
	if to, ok := x.w.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{x.w}, src) // hides ReadFrom, or io.Copy would come back here
}

// Flush saves, then flushes where the underlying writer can.
func (x *exchange[T]) Flush() { _ = x.FlushError() }

// FlushError is Flush for http.ResponseController.
func (x *exchange[T]) FlushError() error {
	if err := x.begin(); err != nil {
		return err
	}
	return http.NewResponseController(x.w).Flush()
}

// Hijack hands the connection over. Nothing is saved any more.
func (x *exchange[T]) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err == nil {
		x.mu.Lock()
		x.begun, x.hijacked = true, true
		if x.session != nil {
			x.session.done = true
		}
		x.mu.Unlock()
	}
	return conn, rw, err
}

// Unwrap is for http.ResponseController.
func (x *exchange[T]) Unwrap() http.ResponseWriter { return x.w }
