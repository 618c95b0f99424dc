// Package sim puts signet into a hostile and failing world and says, for every response, what the
// person behind it may see.
//
// One seed makes one world: a fleet of instances of two versions of a program, each with
// its own clock, copy of the ring and configuration; browsers with jars after RFC 6265bis and requests in
// flight; proxies that cut, refuse, repeat and join headers; an operator who
// rotates, revokes, rolls back and publishes damaged files; and an attacker. Everything runs on one
// goroutine in virtual time, through [signet.Manager.Handler], without a network.
//
// The judge is a model that is written apart from the library: it knows every cookie that was ever
// set, and who it was for, and finds the answer by looking values up instead of by opening them.
//
//	go test ./sim -seed 7 -steps 4000 -v    one world
//	go test ./sim -for 8h -v                as many as fit
//
// A seed that fails is shrunk to the few events that matter and told in words.
package sim
