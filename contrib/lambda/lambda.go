// Package lambda runs an [http.Handler] as an AWS Lambda function: behind a REST API (payload 1), an HTTP API
// or a function URL (payload 2), or an application load balancer in both of its header modes. Which
// one it is, each event says.
//
//	sessions := signet.Must(signet.New[Visitor](keys, signet.Config{}))
//	lambda.Start(sessions.Handler(mux))
//
// The runtime's loop and its streaming are those of github.com/aws/aws-lambda-go. Only the conversion is
// of this package: the ones that exist drop cookies or send one where there are several (lambdaurl reads headers.cookie
// alone, which an HTTP API does not send; aws-lambda-go-api-proxy has no way to set two for a load balancer without
// multi-value headers).
//
// Nothing of an event is ever logged or put into an error: it holds cookies.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
)

// Start serves the function's invocations with h. It does not return.
func Start(h http.Handler, options ...awslambda.Option) {
	awslambda.StartWithOptions(Function(h), options...)
}

// StartStreaming is Start for what is configured to stream: a function URL of invoke mode RESPONSE_STREAM, or
// a REST API whose integration has response transfer mode STREAM. What h writes is sent
// as it comes. Events of other kinds, which cannot be streamed, are answered whole.
func StartStreaming(h http.Handler, options ...awslambda.Option) {
	awslambda.StartWithOptions(StreamingFunction(h), options...)
}

// errNotHTTP names no part of the event.
var errNotHTTP = errors.New("signet/lambda: the event is not an HTTP request of API Gateway, a function URL or a load balancer; point the trigger of this function there")

// Function is the function that Start runs. An event that is an HTTP request of a known kind, however
// malformed, gets an answer of that kind: 400 where it cannot be made a request, 500 where h panics, which is
// logged. Any other event is an error.
func Function(h http.Handler) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, payload json.RawMessage) (any, error) {
		e, r, err := parse(ctx, payload)
		if e == nil {
			return nil, err
		}
		w := &buffered{header: http.Header{}}
		if err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
		} else {
			serve(h, w, r)
		}
		return e.answer(w), nil
	}
}

// StreamingFunction is the function that StartStreaming runs. A panic of h after
// its first octet cuts the body short.
func StreamingFunction(h http.Handler) func(context.Context, json.RawMessage) (any, error) {
	whole := Function(h)
	return func(ctx context.Context, payload json.RawMessage) (any, error) {
		e, r, err := parse(ctx, payload)
		if e == nil || err != nil || e.kind == loadBalancer || e.kind == loadBalancerSingle {
			return whole(ctx, payload)
		}
		body, pipe := io.Pipe()
		w := &streamed{header: http.Header{}, pipe: pipe, begun: make(chan struct{})}
		go func() {
			serve(h, w, r)
			w.WriteHeader(http.StatusOK)
			_ = pipe.Close()
		}()
		<-w.begun
		if e.kind == payload1 {
			return &events.APIGatewayProxyStreamingResponse{StatusCode: w.status, MultiValueHeaders: w.sent, Body: body}, nil
		}
		headers, cookies := single(w.sent)
		return &events.LambdaFunctionURLStreamingResponse{StatusCode: w.status, Headers: headers, Cookies: cookies, Body: body}, nil
	}
}
