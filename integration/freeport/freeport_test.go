package freeport

import (
	"net"
	"testing"
)

// TestAddr: addresses differ, and can be listened on.
func TestAddr(t *testing.T) {
	seen := make(map[string]bool)
	for range 500 {
		addr, err := Addr()
		if err != nil {
			t.Fatal(err)
		}
		if seen[addr] {
			t.Fatalf("%s twice", addr)
		}
		seen[addr] = true
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}
