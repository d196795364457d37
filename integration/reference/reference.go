// Package reference pins the etcd that Causeway is tested and measured
// against. It holds no code: the tool lines of its go.mod fix the versions of
// the real etcd server, etcdctl and etcdutl, which tests and benchmarks build with
//
//	go build -C integration/reference -o DIR tool
//
// It is a module of its own because etcd v3.6 and the v3.7 API that Causeway
// serves cannot be linked into one program.
package reference
