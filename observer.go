package signet

import (
	"context"
	"log/slog"
)

// Observer is told what happens to sessions, for metrics and logs. Observe is called
// on the request's goroutine, so it must be quick and safe for concurrent use.
// [LogObserver] is one.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// Event is one thing that happened. It never holds a cookie's value or a key.
type Event struct {
	// Kind is one of
	//
	//	opened          a session opened: KeyID, Format
	//	migrated        a session of another framework was taken over: KeyID is the position of its secret
	//	failed          a cookie did not open: Err is why
	//	sealed          a session was written: KeyID, Format, Bytes, Chunks
	//	cleared         the session's cookies were expired
	//	withheld        a change was not written: Err is why; see Session.Err
	//	lost            a change came after the response had begun: Path
	//	abandoned       a timed-out handler still had the session: Path
	//	too-large       a change was over the budget: Err
	//	unsaved         a change could not be encoded or sealed: Err
	//	clamped         the session will end early, with the key that sealed it: KeyID
	//	large-response  the response header is over 4,000 octets: Bytes
	//	made-private    the handler's public Cache-Control was narrowed
	//
	// or, of a Keyring that has it by SetObserver,
	//
	//	reloaded        Watch took over another ring
	//	reload-failed   Watch could not, or not all of it: Err is why; the last good ring stays in use
	//	stale-ring      a token that looks new names a key that even a reload did not bring: KeyID
	Kind   string
	KeyID  string
	Format Format
	Err    error
	Bytes  int
	Chunks int
	Path   string // the request's pattern where a ServeMux matched one, its path otherwise
}

// LogObserver logs every event at debug level, and at warning level those that cost a
// visitor something: withheld, lost, abandoned, too-large, unsaved, clamped, large-response.
func LogObserver(log *slog.Logger) Observer { return logObserver{log} }

type logObserver struct{ log *slog.Logger }

func (o logObserver) Observe(ctx context.Context, e Event) {
	level := slog.LevelDebug
	switch e.Kind {
	case "withheld", "lost", "abandoned", "too-large", "unsaved", "clamped", "large-response":
		level = slog.LevelWarn
	}
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("event", e.Kind)}
	if e.KeyID != "" {
		attrs = append(attrs, slog.String("key", e.KeyID))
	}
	if e.Kind == "opened" || e.Kind == "sealed" {
		attrs = append(attrs, slog.String("format", e.Format.String()))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("reason", e.Err.Error()))
	}
	if e.Bytes != 0 {
		attrs = append(attrs, slog.Int("bytes", e.Bytes))
	}
	if e.Chunks != 0 {
		attrs = append(attrs, slog.Int("cookies", e.Chunks))
	}
	if e.Path != "" {
		attrs = append(attrs, slog.String("path", e.Path))
	}
	o.log.LogAttrs(ctx, level, "signet session", attrs...)
}
