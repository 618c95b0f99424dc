package lambda

import (
	"bytes"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"unicode/utf8"
)

// serve calls h as net/http's server does: a panic ends this request only.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
			return
		case http.ErrAbortHandler:
		default:
			slog.ErrorContext(r.Context(), "signet/lambda: the handler panicked", "panic", p, "stack", string(debug.Stack()))
		}
		switch w := w.(type) {
		case *buffered:
			*w = buffered{header: http.Header{}}
			http.Error(w, "internal server error", http.StatusInternalServerError)
		case *streamed:
			w.fail()
		}
	}()
	h.ServeHTTP(w, r)
}

// buffered keeps a response that is sent as a whole.
type buffered struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
}

func (w *buffered) Header() http.Header { return w.header }

// WriteHeader fixes status and header. Informational ones cannot be sent.
func (w *buffered) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *buffered) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush begins the response, for handlers that rely on it; nothing can be sent yet.
func (w *buffered) Flush() { w.WriteHeader(http.StatusOK) }

func (w *buffered) finish() {
	w.WriteHeader(http.StatusOK)
	if w.sent == nil {
		w.sent = http.Header{}
	}
	detect(w.sent, w.body.Bytes())
}

// detect names the type of a body that has none, as net/http's server does.
func detect(h http.Header, body []byte) {
	if _, set := h["Content-Type"]; !set && len(body) > 0 {
		h.Set("Content-Type", http.DetectContentType(body))
	}
}

// text is the body as JSON can hold it.
func (w *buffered) text() (body string, encoded bool) {
	if utf8.Valid(w.body.Bytes()) && w.sent.Get("Content-Encoding") == "" {
		return w.body.String(), false
	}
	return base64.StdEncoding.EncodeToString(w.body.Bytes()), true
}

// streamed passes a response on as it is written.
type streamed struct {
	header, sent http.Header
	status       int
	pipe         *io.PipeWriter
	begun        chan struct{}
}

func (w *streamed) Header() http.Header { return w.header }

func (w *streamed) WriteHeader(status int) { w.begin(status, nil) }

func (w *streamed) begin(status int, first []byte) {
	if w.status != 0 || status < 200 {
		return
	}
	detect(w.header, first)
	w.status, w.sent = status, w.header.Clone()
	close(w.begun)
}

func (w *streamed) Write(b []byte) (int, error) {
	w.begin(http.StatusOK, b)
	return w.pipe.Write(b)
}

// Flush begins the response. What was written has been passed on already.
func (w *streamed) Flush() { w.begin(http.StatusOK, nil) }

// fail is the end of a handler that panicked.
func (w *streamed) fail() {
	if w.status != 0 {
		_ = w.pipe.CloseWithError(io.ErrUnexpectedEOF)
		return
	}
	clear(w.header)
	http.Error(w, "internal server error", http.StatusInternalServerError)
}
