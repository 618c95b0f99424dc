// Command empty does nothing: what a process costs that opens no cookie.
package main

func main() {}
