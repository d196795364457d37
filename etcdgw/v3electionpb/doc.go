// Package v3electionpb is the Go code of etcd's v3election.proto: the Election
// service that an etcd serves beside its own. As in package v3lockpb its messages
// are not registered globally.
package v3electionpb

//go:generate go run -C ../protogen . ../v3electionpb/v3election.proto
