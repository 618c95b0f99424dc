// Signet makes and keeps the keys of sealed sessions, explains what stands in a cookie, and
// shows all of it at work in a browser.
//
//	signet demo                  a shop to click through, with its cookies laid open
//	signet keys new > keys.json  a ring with one key
//	signet inspect < cookie.txt  what a cookie says without its key
//
// Data goes to stdout and everything else to stderr. The exit status is 0, 1 for an
// error, or 2 for a command line that is not understood. Secrets come in files and on
// stdin, never as arguments, and no error repeats what it was given.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// command is one line of the table. Its run gets the arguments after its name; an error
// of it ends the program with status 1, a usageError with 2.
type command struct {
	name string // as typed: "keys new"
	args string // as the usage line shows them
	help string // one line
	run  func(std stdio, args []string) error
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// commands is filled by init: the usage text, which a command may print, lists it.
var commands []command

func init() {
	commands = []command{
		{"demo", "[-addr HOST:PORT] [-keys FILE] [-tls]", "serve a shop to click through, with its cookies laid open", runDemo},
		{"inspect", "[-keys FILE [-purpose NAME] [-kind KIND] [-tenant NAME]]", "explain the cookie, Cookie header or token on stdin", inspect},
		{"keys new", "[-env] [-alg ALG] [policy]", "print a ring with one new key", keysNew},
		{"keys rotate", "FILE [-hasten] [-alg ALG] [-force] [policy]", "publish the next key and drop the ended ones, as the policy in the file wants it", keysRotate},
		{"keys check", "FILE | OLD NEW [-json] [policy]", "say how a ring, or a change of it, could lose sessions; exit 1 if it could", keysCheck},
		{"keys list", "FILE [-json] [-svg FILE] [-seen FILE] [policy]", "draw what each key does over the past and coming weeks", keysList},
		{"keys revoke", "FILE ID… | FILE -all [-force] [policy]", "end the sessions of keys that leaked", keysRevoke},
		{"keys export", "FILE -purpose NAME [-kind KIND] [-format FORMAT] [-tenant NAME]", "print the keys derived for one purpose, never the ring", keysExport},
		{"keys import", "[-env] [policy] < SECRET", "print a ring of 32 random bytes in hex or base64", keysImport},
	}
}

func main() { os.Exit(run(os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})) }

// run is main with everything that a process has handed in. It returns the exit status.
func run(args []string, std stdio) int {
	err := dispatch(args, std)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(std.err, oneLine(err))
		return 2
	}
	fmt.Fprintln(std.err, oneLine(err))
	return 1
}

func dispatch(args []string, std stdio) error {
	if len(args) == 0 {
		return usageError("no command; run: signet help")
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return help(std.out)
	}
	for _, c := range commands {
		if rest, ok := c.match(args); ok {
			return c.run(std, rest)
		}
	}
	return usageError("unknown command" + among(args[0]) + "; run: signet help")
}

// match reports whether args begin with the words of the command's name.
func (c command) match(args []string) ([]string, bool) {
	words := strings.Fields(c.name)
	if len(args) < len(words) {
		return nil, false
	}
	for i, word := range words {
		if args[i] != word {
			return nil, false
		}
	}
	return args[len(words):], true
}

// among lists the second words where the first is known: "signet keys" alone.
func among(first string) string {
	var words []string
	for _, c := range commands {
		if group, word, ok := strings.Cut(c.name, " "); ok && group == first {
			words = append(words, word)
		}
	}
	if words == nil {
		return ""
	}
	return " of " + first + ", which has " + strings.Join(words, ", ")
}

func help(w io.Writer) error {
	fmt.Fprint(w, "signet: stateless encrypted sessions\n\nUsage:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  signet %s\n        %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	_, err := fmt.Fprint(w, `
Example:
  $ signet keys new > keys.json
  $ signet demo -keys keys.json
  the demo runs at http://localhost:8080/
`)
	return err
}

// usageError is a command line that is not understood, and what to do.
type usageError string

func (e usageError) Error() string { return "signet: " + string(e) }

// newFlags makes the flag set of a command. Parse it with parse.
func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // flag's own messages take several lines and repeat values
	return fs
}

// parse reads args, of which at most maxArgs may be no flags. After -h it has printed the
// usage to stdout, and returns flag.ErrHelp.
func parse(fs *flag.FlagSet, std stdio, args []string, maxArgs int) error {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(std.out, "Usage: signet %s\n", usageLine(fs.Name()))
		fs.SetOutput(std.out)
		fs.PrintDefaults()
		return err
	case err != nil:
		return usageError(fs.Name() + ": " + flagProblem(err) + "; run: signet " + fs.Name() + " -h")
	case fs.NArg() > maxArgs:
		// Not repeated: it may be a key that somebody meant to pass.
		return usageError(fmt.Sprintf("%s: argument %d is one too many; run: signet %s -h", fs.Name(), maxArgs+1, fs.Name()))
	}
	return nil
}

func usageLine(name string) string {
	for _, c := range commands {
		if c.name == name {
			return strings.TrimSpace(c.name + " " + c.args)
		}
	}
	return name
}

// flagProblem is flag's message without the value that it quotes, which may be a secret.
func flagProblem(err error) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok && len(name) <= 16 {
		return "there is no flag " + name
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: "); ok {
		return "flag " + name + " needs a value"
	}
	if strings.HasPrefix(text, "invalid ") { // invalid value "…" for flag -addr: …, invalid boolean value "…" for -env: …
		if at := strings.LastIndex(text, " -"); at > 0 {
			name, _, _ := strings.Cut(text[at+1:], ":")
			return "flag " + name + " does not take that value"
		}
	}
	return "a flag is not understood"
}

// oneLine makes one line of joined errors.
func oneLine(err error) string {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	if !strings.HasPrefix(text, "signet: ") {
		text = "signet: " + text
	}
	return text
}
