package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// nodeProcess is node/peers.mjs: it has a loop of its own and is asked for one slice at a time.
type nodeProcess struct {
	cmd      *exec.Cmd
	in       *json.Encoder
	out      *bufio.Scanner
	versions map[string]string
}

var errNoNode = errors.New("node, or the packages of bench/node (npm ci there), are not installed")

// startNode starts the process, which the caller ends with stop.
func startNode(dir string) (*nodeProcess, error) {
	if _, err := os.Stat(filepath.Join(dir, "node", "node_modules", "jose")); err != nil {
		return nil, errNoNode
	}
	cmd := exec.Command("node", filepath.Join(dir, "node", "peers.mjs"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errNoNode
	}
	n := &nodeProcess{cmd: cmd, in: json.NewEncoder(in), out: bufio.NewScanner(out)}
	n.in.SetEscapeHTML(false)
	n.out.Buffer(nil, 1<<20)
	return n, n.ask(map[string]any{"do": "versions"}, &n.versions)
}

func (n *nodeProcess) stop() {
	if n != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
	}
}

func (n *nodeProcess) ask(request map[string]any, answer any) error {
	if err := n.in.Encode(request); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if !n.out.Scan() {
		return errors.New("node ended early")
	}
	return json.Unmarshal(n.out.Bytes(), answer)
}

// roundTrip is a peer's subject over a payload, once it was seen to return it.
func (n *nodeProcess) roundTrip(peer, config string, p []byte) subject {
	if _, got := n.seal(peer, p); got != string(p) {
		panic(peer + " does not return its payload")
	}
	ask := map[string]any{"do": "time", "peer": peer, "payload": string(p), "n": warmUp}
	if err := n.ask(ask, new(struct{})); err != nil {
		panic(err)
	}
	return subject{name: peer, config: config, slices: 3, batch: func(count int) time.Duration {
		ask["n"] = count
		var took struct{ NS float64 }
		if err := n.ask(ask, &took); err != nil {
			panic(err)
		}
		return time.Duration(took.NS)
	}}
}

// warmUp is how many round trips node's compiler gets before anything is timed.
const warmUp = 400

// seal returns what a peer makes of a payload, and what it makes of that.
func (n *nodeProcess) seal(peer string, p []byte) (text, opened string) {
	var answer struct{ Text, Payload string }
	if err := n.ask(map[string]any{"do": "check", "peer": peer, "payload": string(p)}, &answer); err != nil {
		panic(err)
	}
	return answer.Text, answer.Payload
}

const (
	ironSession = "iron-session"
	npmJose     = "npm jose dir"
)

var nodeConfigs = map[string]string{
	ironSession: "sealData, unsealData, one password, ttl of an hour",
	npmJose:     "CompactEncrypt, compactDecrypt, one CryptoKey, A256GCM",
}
