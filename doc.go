// Package signet keeps a web session in the visitor's own cookies, encrypted and
// authenticated, so that any instance that holds the keyring opens it and no
// storage is shared.
//
// # Sessions
//
// [New] makes a [Manager] of a [Keyring] and a [Config], whose zero value is the strictest. Wrap the server's handler
// with [Manager.Handler], and ask for the session where it is needed with [Manager.Get]:
//
//	keys := signet.Must(signet.ParseKeyring([]byte(os.Getenv("SIGNET_KEYS"))))
//	sessions := signet.Must(signet.New[map[string]string](keys, signet.Config{}))
//	…
//	s := sessions.Get(r.Context())
//	s.Renew() // at every log-in
//	s.Data["username"] = name
//
// The session is saved when the response begins, if it changed. [Manager.Load] and [Manager.Save] are the
// same without the Handler.
//
// # Keys
//
// A ring is read from a key file or an environment variable by [ParseKeyring]; the command "signet keys new" makes one. To
// rotate is to edit that file, which "signet keys rotate" does by the file's [Policy], and to let
// [Keyring.Watch] see it. Whatever the file says, [Keyring.Update] loses no session that was not revoked.
//
// # Tokens
//
// [Keyring.Seal] and [Keyring.Open] do the same for anything else: links to reset a password, OAuth state, cursors.
//
// # Errors
//
// A cookie that does not open is the cookie of a new visitor, never an error page. Why it did not is in [Session.Err], and an
// [Observer] is told. Errors are compared with [errors.Is].
//
// # Compatibility
//
// From version 1 on, a program that compiles goes on compiling, and what one version seals every later one opens: the
// formats are specified in SPEC.md and held by the vectors in testdata. Before it, changes are listed in CHANGELOG.md. The
// texts of errors and of log lines may change; the sentinels, the fields of [Event] and its kinds may not.
//
// What a stateless session cannot do, such as to end a copy of a cookie, is said in the README.
package signet
