// Package etcd3testing stands in for k8s.io/apiserver/pkg/storage/etcd3/testing.
package etcd3testing

import (
	"testing"

	"go.etcd.io/etcd/client/v3/kubernetes"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"github.com/causeway-sync/causeway/integration/kubernetes/upstream/testserver"
)

// EtcdTestServer is a store that runs for the time of a test.
type EtcdTestServer struct {
	V3Client *kubernetes.Client
}

// Terminate does nothing: the store ends with its test.
func (*EtcdTestServer) Terminate(testing.TB) {}

// PathPrefix returns the prefix of all keys.
func PathPrefix() string { return "/registry" }

// NewUnsecuredEtcd3TestClientServer starts a store and returns it with the
// configuration by which to reach it.
func NewUnsecuredEtcd3TestClientServer(t testing.TB) (*EtcdTestServer, *storagebackend.Config) {
	t.Helper()
	server := &EtcdTestServer{V3Client: testserver.RunEtcd(t, nil)}
	return server, &storagebackend.Config{
		Type:      "etcd3",
		Prefix:    PathPrefix(),
		Transport: storagebackend.TransportConfig{ServerList: server.V3Client.Endpoints()},
	}
}
