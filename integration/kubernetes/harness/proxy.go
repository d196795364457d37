package harness

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Proxy passes gRPC on to a store, byte for byte, and tallies the requests. It
// changes nothing but the time that a call takes.
type Proxy struct {
	// Endpoint is the URL at which the proxy serves.
	Endpoint string
	// Tally counts the requests that were answered.
	Tally *Tally

	backend *grpc.ClientConn
	server  *grpc.Server
}

// StartProxy serves until the test ends.
func StartProxy(t testing.TB, store *Store) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(store.Endpoint, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Endpoint: "http://" + l.Addr().String(), Tally: newTally(), backend: backend}
	p.server = grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.UnknownServiceHandler(p.handle), grpc.MaxRecvMsgSize(1<<30),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := p.server.Serve(l); err != nil {
			t.Errorf("proxy: %v", err)
		}
	})
	t.Cleanup(func() {
		p.server.Stop()
		serving.Wait()
		backend.Close()
	})
	return p
}

// handle passes one call on, in both directions, until both ends are done.
func (p *Proxy) handle(_ any, in grpc.ServerStream) error {
	method, ok := grpc.MethodFromServerStream(in)
	if !ok {
		return status.Error(codes.Internal, "proxy: a stream without a method")
	}
	ctx, cancel := context.WithCancel(in.Context())
	defer cancel()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, forwarded(md))
	}
	out, err := p.backend.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	call := p.Tally.call(method)
	sent := make(chan error, 1)
	go func() { sent <- forward(in, out, call) }()
	err = backward(in, out, call)
	cancel()
	<-sent // it ends: in ends with this handler's context, out with ctx
	return err
}

// forwarded returns the metadata of a request without what gRPC sets itself.
func forwarded(md metadata.MD) metadata.MD {
	md = md.Copy()
	for name := range md {
		if strings.HasPrefix(name, ":") || name == "content-type" || name == "user-agent" || strings.HasPrefix(name, "grpc-") {
			delete(md, name)
		}
	}
	return md
}

func forward(in grpc.ServerStream, out grpc.ClientStream, call *call) error {
	for {
		var m []byte
		err := in.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			return out.CloseSend()
		}
		if err != nil {
			return err
		}
		call.request(m)
		if err := out.SendMsg(&m); err != nil {
			return err
		}
	}
}

func backward(in grpc.ServerStream, out grpc.ClientStream, call *call) error {
	for {
		var m []byte
		err := out.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			in.SetTrailer(out.Trailer())
			return nil
		}
		if err != nil {
			in.SetTrailer(out.Trailer())
			return err
		}
		call.response(m)
		if err := in.SendMsg(&m); err != nil {
			return err
		}
	}
}

// rawCodec leaves messages as they are: they are *[]byte.
type rawCodec struct{}

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }
