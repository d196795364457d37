// Package freeport finds addresses for servers that tests and benchmarks start.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports below those that systems give to outgoing connections, so that none of
// these takes one before its server does.
const (
	least = 12_000
	most  = 32_000
)

var (
	mu    sync.Mutex
	given = make(map[int]bool)
)

var errNone = errors.New("freeport: no port is free")

// Addr returns a loopback address that nobody listens on, each at most once in a process.
// (The kernel's own choice, port 0, is one of some 7,000 and soon comes again.)
func Addr() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	for range most - least {
		port := least + rand.IntN(most-least)
		if given[port] {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		given[port] = true
		return addr, l.Close()
	}
	return "", errNone
}
