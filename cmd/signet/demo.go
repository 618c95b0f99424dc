package main

import (
	"context"
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
	o := demo.Options{Addr: *addr, TLS: *useTLS, Out: std.out, Err: std.err}
	if err := giveRing(&o, std, *file); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return demo.Run(ctx, o)
}

func giveRing(o *demo.Options, std stdio, file string) (err error) {
	if file != "" {
		o.Source = "read from the file given with -keys; it is never written to"
		o.Keys, err = readRing(std, file)
		return err
	}
	o.Source = "made for this run"
	o.Notice = "signet: no -keys, so a ring was made for this run; its sessions end with it"
	o.Keys, err = signet.NewKeyring(signet.GenerateKey(time.Time{}))
	return err
}
