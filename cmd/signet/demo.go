package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/signet-go/signet"
	"github.com/signet-go/signet/cmd/signet/internal/demo"
)

// runDemo serves the demo until SIGINT or SIGTERM. A second signal ends it at once.
func runDemo(std stdio, args []string) error {
	flags := newFlags("demo")
	addr := flags.String("addr", "127.0.0.1:8080", "listen on this `HOST:PORT`; port 0 picks a free one")
	file := flags.String("keys", "", "seal with the ring in this `FILE`; without it a ring is made for the run")
	useTLS := flags.Bool("tls", false, "serve HTTPS with a certificate made in memory, for Safari and other hosts")
	if err := parse(flags, std, args, 0); err != nil {
		return err
	}
	if _, port, err := net.SplitHostPort(*addr); err != nil || port == "" {
		return usageError("demo: -addr is HOST:PORT, as in 127.0.0.1:8080")
	}
	ring, source, err := demoRing(std, *file)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return demo.Run(ctx, demo.Options{Addr: *addr, TLS: *useTLS, Keys: ring, Source: source, Out: std.out, Err: std.err})
}

func demoRing(std stdio, file string) (ring *signet.Keyring, source string, err error) {
	if file != "" {
		ring, err = readRing(std, file)
		return ring, "read from the file given with -keys; it is never written to", err
	}
	ring, err = signet.NewKeyring(signet.GenerateKey(time.Time{}))
	fmt.Fprintln(std.err, "signet: no -keys, so a ring was made for this run; its sessions end with it")
	return ring, "made for this run", err
}
