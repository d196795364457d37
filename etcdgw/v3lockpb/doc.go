// Package v3lockpb is the Go code of etcd's v3lock.proto: the Lock service that an
// etcd serves beside its own. It is generated, as etcd's module that has the same is
// the one of the server.
//
// The messages have etcd's names and are not registered under them globally, so
// that a program may link this package and etcd's server. Protobuf's lookup by name
// (Any in JSON, gRPC reflection) thus does not find them; nothing here uses it.
package v3lockpb

//go:generate go run -C ../protogen . ../v3lockpb/v3lock.proto
