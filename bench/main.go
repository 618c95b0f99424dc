package main

import "fmt"

func main() {
	for _, size := range []int{64, 256, 1024, 3072} {
		fmt.Println("size", size)
		for _, t := range interleave(9, roundTrips(size)) {
			fmt.Printf("  %-24s %10.0f ns  %6.2f\n", t.Name, t.Median, t.Ratio)
		}
	}
}
