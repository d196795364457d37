package main

import (
	"context"
	"net/url"

	"github.com/rogpeppe/go-internal/testscript"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/node/admin"
)

// scriptPut implements "put DIR KEY VALUE": it puts a key at the node that runs on DIR.
func scriptPut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: put dir key value")
	}
	st, err := admin.NewClient(ts.MkAbs(args[0])).Status(context.Background())
	ts.Check(err)
	u, err := url.Parse(st.ClientURLs[0])
	ts.Check(err)
	conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	_, err = pb.NewKVClient(conn).Put(context.Background(), &pb.PutRequest{Key: []byte(args[1]), Value: []byte(args[2])})
	ts.Check(err)
}
