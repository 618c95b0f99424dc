// Package lambdatest runs a function's binary under an emulator of the Lambda runtime API, with events in
// the shapes that API Gateway, function URLs and load balancers send.
package lambdatest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Emulator is the runtime API (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) for one function.
type Emulator struct {
	cmd       *exec.Cmd
	events    chan []byte
	answers   chan Answer
	initError chan string
	log       logBuffer
}

// Answer is what the function posted for one invocation.
type Answer struct {
	Error     bool // it posted to /error
	Streaming bool
	Body      []byte
}

// Start runs the binary, with these environment variables besides those of a real environment, until the test ends.
func Start(t testing.TB, binary string, env ...string) *Emulator {
	t.Helper()
	e := &Emulator{events: make(chan []byte), answers: make(chan Answer, 1), initError: make(chan string, 1)}
	api := httptest.NewServer(e.api())
	e.cmd = exec.Command(binary)
	e.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "_HANDLER=bootstrap",
		"AWS_LAMBDA_FUNCTION_NAME=shop", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_SESSION_TOKEN=test-session-token",
		"PATH=" + os.Getenv("PATH"),
	}, env...)
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		_ = e.cmd.Wait()
		api.CloseClientConnections()
		api.Close()
		if t.Failed() {
			t.Logf("the function printed:\n%s", e.Log())
		}
	})
	return e
}

func (e *Emulator) api() http.Handler {
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	id := 0
	mux.HandleFunc("GET "+base+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case event := <-e.events:
			id++
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("8476a536-e9f4-11e8-9739-%012d", id))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(30*time.Second).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:shop")
			w.Header().Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
			_, _ = w.Write(event)
		case <-r.Context().Done():
		}
	})
	answer := func(isError bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			e.answers <- Answer{isError, r.Header.Get("Content-Type") == "application/vnd.awslambda.http-integration-response", body}
			w.WriteHeader(http.StatusAccepted)
		}
	}
	mux.HandleFunc("POST "+base+"invocation/{id}/response", answer(false))
	mux.HandleFunc("POST "+base+"invocation/{id}/error", answer(true))
	mux.HandleFunc("POST "+base+"init/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.initError <- string(body)
	})
	return mux
}

// Invoke gives the function one event and waits for its answer.
func (e *Emulator) Invoke(t testing.TB, event []byte) Answer {
	t.Helper()
	timeout := time.After(30 * time.Second)
	select {
	case e.events <- event:
	case body := <-e.initError:
		t.Fatalf("the function failed to start: %s", body)
	case <-timeout:
		t.Fatalf("the function took no event:\n%s", e.Log())
	}
	select {
	case a := <-e.answers:
		return a
	case <-timeout:
		t.Fatalf("the function did not answer:\n%s", e.Log())
	}
	return Answer{}
}

// Freeze stops the function's process between invocations, as the platform does, and
// Thaw continues it.
func (e *Emulator) Freeze(t testing.TB) { e.signal(t, syscall.SIGSTOP) }
func (e *Emulator) Thaw(t testing.TB)   { e.signal(t, syscall.SIGCONT) }

func (e *Emulator) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := e.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Log is what the function printed so far.
func (e *Emulator) Log() string { return e.log.String() }

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
