// Package testserver stands in for k8s.io/apiserver/pkg/storage/etcd3/testserver:
// it starts a store of its own for each test.
package testserver

import (
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	storagetesting "k8s.io/apiserver/pkg/storage/testing"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
	"github.com/causeway-sync/causeway/integration/kubernetes/upstream"
	"github.com/causeway-sync/causeway/integration/kubernetes/upstream/embed"
)

// NewTestConfig returns the default configuration.
func NewTestConfig(testing.TB) *embed.Config { return &embed.Config{} }

// RunEtcd starts a store and returns a client of it, which records its reads as
// the tests expect. Both end with the test. A nil configuration is the default.
func RunEtcd(t testing.TB, cfg *embed.Config) *kubernetes.Client {
	t.Helper()
	start, ok := upstream.Stores[os.Getenv(upstream.StoreEnv)]
	if !ok {
		t.Fatalf("%s=%q names no store", upstream.StoreEnv, os.Getenv(upstream.StoreEnv))
	}
	var flags []string
	if cfg != nil && cfg.WatchProgressNotifyInterval != 0 {
		flags = append(flags, "--watch-progress-notify-interval="+cfg.WatchProgressNotifyInterval.String())
	}
	store := start(t, harness.LogDir(t), flags...)
	store.Start()
	client, err := kubernetes.New(clientv3.Config{
		Endpoints:   []string{store.Endpoint},
		DialTimeout: 10 * time.Second,
		//lint:ignore SA1019 kube-apiserver dials so
		DialOptions: []grpc.DialOption{grpc.WithBlock()},
		Logger:      zaptest.NewLogger(t, zaptest.Level(zapcore.ErrorLevel)),
	})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody closes the client in the package this stands in for. Here the
	// store is a process, and a client left behind would go on dialling it.
	t.Cleanup(func() { client.Close() })
	client.KV = storagetesting.NewKVRecorder(client.KV)
	client.Kubernetes = storagetesting.NewKubernetesRecorder(client.Kubernetes)
	return client
}
