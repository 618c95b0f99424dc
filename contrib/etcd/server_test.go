package etcd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// member is a real etcd-server that the test can kill and start again.
type member struct {
	t            testing.TB
	name, dir    string
	client, peer string
	initial      string // of the cluster
	cmd          *exec.Cmd
	ended        chan struct{}
	output       bytes.Buffer
}

func binary(t testing.TB) string {
	path, err := exec.LookPath("etcd")
	if err == nil {
		return path
	}
	if os.Getenv("SIGNET_REQUIRE_ALL") == "1" {
		t.Fatal("missing, and SIGNET_REQUIRE_ALL=1: etcd")
	}
	t.Skip("needs a real etcd-server; install it with: bash .ci/install")
	return ""
}

func freeURL(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return "http://" + l.Addr().String()
}

// cluster starts n members and waits until they answer.
func cluster(t testing.TB, n int) []*member {
	path := binary(t)
	var members []*member
	var initial []string
	for i := range n {
		m := &member{t: t, name: fmt.Sprintf("m%d", i), dir: t.TempDir(), client: freeURL(t), peer: freeURL(t)}
		members, initial = append(members, m), append(initial, m.name+"="+m.peer)
	}
	for _, m := range members {
		m.initial = strings.Join(initial, ",")
		m.start(path)
		t.Cleanup(m.kill)
	}
	for _, m := range members {
		m.ready()
	}
	return members
}

func (m *member) start(path string) {
	m.cmd = exec.Command(path, "--name", m.name, "--data-dir", m.dir, "--unsafe-no-fsync", "--logger=zap", "--log-level=error",
		"--heartbeat-interval=50", "--election-timeout=300",
		"--listen-client-urls", m.client, "--advertise-client-urls", m.client,
		"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer,
		"--initial-cluster", m.initial, "--initial-cluster-state=new")
	m.cmd.Stderr = &m.output
	require.NoError(m.t, m.cmd.Start())
	m.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(m.cmd, m.ended)
}

func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

func (m *member) ready() {
	client := m.connect()
	require.Eventually(m.t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := client.Get(ctx, "ready")
		return err == nil
	}, 30*time.Second, 20*time.Millisecond, "etcd printed: %s", &m.output)
}

func (m *member) connect() *clientv3.Client { return connect(m.t, m.client) }

func connect(t testing.TB, endpoints ...string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// cable is a TCP forwarder that a test can cut and mend.
type cable struct {
	listener net.Listener
	mu       sync.Mutex
	cut      bool
	conns    []net.Conn
}

func newCable(t testing.TB, to string) *cable {
	target, err := url.Parse(to)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cable{listener: l}
	t.Cleanup(func() {
		_ = l.Close()
		c.set(true)
	})
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			c.forward(near, target.Host)
		}
	}()
	return c
}

func (c *cable) url() string { return "http://" + c.listener.Addr().String() }

func (c *cable) forward(near net.Conn, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	far, err := net.Dial("tcp", target)
	if err != nil || c.cut {
		_ = near.Close()
		if err == nil {
			_ = far.Close()
		}
		return
	}
	c.conns = append(c.conns, near, far)
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		}()
	}
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
		c.conns = nil
	}
}
