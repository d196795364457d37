package main

import (
	"context"
	"net"
	"os"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/causeway-sync/causeway/integration/rival"
)

const (
	nameEcho    = "echo"
	echoCommand = "echo-server"
)

// build compiles causeway and etcd into dir, and adds this program as echo server.
func build(ctx context.Context, dir string) ([]rival.Server, error) {
	servers, err := rival.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return append(servers, rival.Server{Name: nameEcho, Path: self, Args: func(_, client, _ string) []string {
		return []string{echoCommand, client}
	}}), nil
}

// echo answers every call with an empty response: what gRPC alone costs.
type echo struct{ pb.UnimplementedKVServer }

func header() *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: 1, MemberId: 1, Revision: 1, RaftTerm: 1}
}

func (echo) Put(context.Context, *pb.PutRequest) (*pb.PutResponse, error) {
	return &pb.PutResponse{Header: header()}, nil
}

func (echo) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	return &pb.RangeResponse{Header: header()}, nil
}

func serveEcho(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	g := grpc.NewServer()
	pb.RegisterKVServer(g, echo{})
	return g.Serve(l)
}
