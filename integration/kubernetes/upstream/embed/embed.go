// Package embed stands in for go.etcd.io/etcd/server/v3/embed in the tests of
// k8s.io/apiserver: nothing is embedded, and this is what they configure.
package embed

import "time"

// Config configures the store that a test starts. The zero value is the default.
type Config struct {
	// WatchProgressNotifyInterval is etcd's flag of that name; 0 is its default.
	WatchProgressNotifyInterval time.Duration
}
