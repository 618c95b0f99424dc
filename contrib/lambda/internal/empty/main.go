// Empty is what every Go program costs to start.
package main

import "fmt"

func main() { fmt.Println("ready") }
