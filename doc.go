// Package signet keeps a web session in the visitor's own cookies, encrypted and
// authenticated, so that any instance that holds the keyring opens it and no
// storage is shared.
package signet
