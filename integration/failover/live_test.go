package failover

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/integration/harness"
)

// writeWhile puts new keys through whichever gateway answers until stop is
// set, and returns the keys that were answered.
func writeWhile(addrs []string, stop *atomic.Bool, name string) (acknowledged []string, err error) {
	var kvs []pb.KVClient
	for _, addr := range addrs {
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		kvs = append(kvs, pb.NewKVClient(conn))
	}
	for i := 0; !stop.Load(); i++ {
		key := fmt.Sprintf("%slive/%s/%05d", root, name, i)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		// What is not answered is not tried again: it may have been done.
		if _, err := kvs[i%len(kvs)].Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte(name)}); err == nil {
			acknowledged = append(acknowledged, key)
		}
		cancel()
		time.Sleep(time.Millisecond)
	}
	return acknowledged, nil
}

// TestFailoverWhileWriting kills the gateway that serves a watcher, again and
// again, while others write through both. The watcher goes to the other one.
func TestFailoverWhileWriting(t *testing.T) {
	a, b := twoGateways(t)
	gateways := []*harness.Node{a, b}
	var stop atomic.Bool
	var wg sync.WaitGroup
	acknowledged := make([][]string, 3)
	for i := range acknowledged {
		wg.Go(func() {
			var err error
			if acknowledged[i], err = writeWhile([]string{a.Client, b.Client}, &stop, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	defer wg.Wait()
	defer stop.Store(true)

	c, told := new(client), 0
	if err := c.list(a); err != nil {
		t.Fatal(err)
	}
	follow := func(n *harness.Node) {
		t.Helper()
		err := c.follow(n)
		if errors.Is(err, errStartOver) {
			told++
			if err := c.list(n); err != nil {
				t.Fatal(err)
			}
			err = c.follow(n)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.check(t, n)
	}
	const kills = 6
	for i := range kills {
		serving, other := gateways[i%2], gateways[1-i%2]
		for range 3 {
			follow(serving)
		}
		serving.Kill()
		follow(other)
		serving.Start()
	}
	stop.Store(true)
	wg.Wait()
	harness.WaitEqual(t, patience, a, b)
	for _, n := range gateways {
		follow(n)
		for i, keys := range acknowledged {
			for _, key := range keys {
				if c.state[key] != fmt.Sprint(i) {
					t.Errorf("%s was acknowledged and is not at %s", key, n.Client)
				}
			}
		}
	}
	if told < kills {
		t.Errorf("told to start over %d times at %d changes of the gateway", told, kills)
	}
	t.Logf("%d, %d and %d puts acknowledged, %d times told to start over", len(acknowledged[0]), len(acknowledged[1]), len(acknowledged[2]), told)
	a.Stop()
	b.Stop()
}
