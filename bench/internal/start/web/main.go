// Command web does nothing, with net/http linked in, as in every program that has sessions.
package main

import _ "net/http"

func main() {}
