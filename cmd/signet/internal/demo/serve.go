package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet"
)

// Options is how the demo is served.
type Options struct {
	Addr   string
	TLS    bool
	Keys   *signet.Keyring
	Source string    // where the keys came from, in words
	Notice string    // said once the demo runs; may be empty
	Out    io.Writer // gets the address, on a line of its own
	Err    io.Writer // gets everything else
}

// grace is how long running requests have once the demo is told to stop.
const grace = 5 * time.Second

// Run serves the demo until ctx ends, then lets running requests finish.
func Run(ctx context.Context, o Options) error {
	handler, err := New(o.Keys, o.Source, o.TLS)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return listenError(o.Addr, err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(quiet{o.Err}, "signet: ", 0),
	}
	if o.TLS {
		cert, err := selfSigned(o.Addr, time.Now())
		if err != nil {
			return err
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		fmt.Fprintf(o.Err, "signet: the certificate was made just now, so the browser will ask once; its SHA-256 begins with %.4x\n", sha256.Sum256(cert.Certificate[0]))
	}
	if host, _, _ := net.SplitHostPort(o.Addr); !o.TLS && !loopback(host) {
		fmt.Fprintln(o.Err, "signet: browsers keep a Secure cookie over plain HTTP on localhost alone; for other hosts add -tls")
	}
	if o.Notice != "" {
		fmt.Fprintln(o.Err, o.Notice)
	}
	fmt.Fprintf(o.Out, "the demo runs at %s (stop it with Ctrl-C)\n", address(o, listener.Addr()))
	return serve(ctx, server, listener, o)
}

func serve(ctx context.Context, server *http.Server, listener net.Listener, o Options) error {
	ended := make(chan error, 1)
	go func() {
		if o.TLS {
			ended <- server.ServeTLS(listener, "", "")
			return
		}
		ended <- server.Serve(listener)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("signet: serving: %w", err)
	case <-ctx.Done():
	}
	fmt.Fprintln(o.Err, "signet: stopping")
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := server.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // what still runs was given its time
	}
	<-ended
	return err
}

// New is the demo's handler: the shop and the laboratory.
func New(keys *signet.Keyring, source string, https bool) (http.Handler, error) {
	keys, err := keys.WithPolicy(quickly(keys.Policy()))
	if err != nil {
		return nil, err
	}
	lab := newLab(keys, source, https)
	shop, err := newShop(keys, lab)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	static(mux)
	shop.routes(mux)
	lab.routes(mux, shop.sessions)
	// From the outside in: headers, then no POST of another site, then whose visit it is, then the session.
	return secure(http.NewCrossOriginProtection().Handler(lab.Handler(shop.sessions.Handler(mux)))), nil
}

func listenError(addr string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	text := strings.TrimPrefix(err.Error(), "bind: ")
	return fmt.Errorf("signet: cannot listen on %s: %s; choose another address: signet demo -addr 127.0.0.1:0", addr, text)
}

// address is what to type into a browser. That is localhost for every loopback address: it
// is where all but Safari keep a Secure cookie over plain HTTP.
func address(o Options, bound net.Addr) string {
	host, _, _ := net.SplitHostPort(o.Addr)
	_, port, _ := net.SplitHostPort(bound.String())
	if loopback(host) || net.ParseIP(host) != nil && net.ParseIP(host).IsUnspecified() || host == "" {
		host = "localhost"
	}
	scheme := "http"
	if o.TLS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host) != nil && net.ParseIP(host).IsLoopback()
}

// selfSigned makes a certificate for this run, in memory.
func selfSigned(addr string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "signet demo"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(7 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if host, _, _ := net.SplitHostPort(addr); host != "" && !loopback(host) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// quiet drops what every browser provokes that is asked to trust a certificate made just now.
type quiet struct{ io.Writer }

func (q quiet) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "TLS handshake error") {
		return len(b), nil
	}
	return q.Writer.Write(b)
}
