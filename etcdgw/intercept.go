package etcdgw

import (
	"context"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// interceptUnary admits, counts and runs one unary call.
func (s *Server) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	m := s.metrics.methods[info.FullMethod]
	m.started.Inc()
	m.received.Inc()
	var resp any
	err := s.admit(ctx, m, false)
	if err == nil {
		err = toStatus(s.admitCaller(ctx, info.FullMethod, req))
	}
	if err == nil {
		resp, err = handler(ctx, req)
		err = toStatus(err)
	}
	m.done(status.Code(err))
	if err != nil {
		return nil, err
	}
	m.sent.Inc()
	return resp, nil
}

// interceptStream admits, counts and runs one streaming call.
func (s *Server) interceptStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	m := s.metrics.methods[info.FullMethod]
	m.started.Inc()
	err := s.admit(stream.Context(), m, true)
	if err == nil {
		err = toStatus(s.admitCaller(stream.Context(), info.FullMethod, nil))
	}
	if err == nil {
		err = toStatus(handler(srv, &countedStream{stream, m}))
	}
	m.done(status.Code(err))
	return err
}

// admit refuses calls before the backend is ready, and calls whose metadata etcd
// refuses. A client that demands a leader ("hasleader") has one: this node.
func (s *Server) admit(ctx context.Context, m *methodMetrics, stream bool) error {
	version := unknownVersion
	if vs := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataClientAPIVersionKey); len(vs) > 0 {
		version = vs[0]
	}
	if !utf8.ValidString(version) {
		return rpctypes.ErrGRPCInvalidClientAPIVersion
	}
	c, ok := s.metrics.versions[clientKind{stream, version}]
	if !ok {
		c = s.metrics.versions[clientKind{stream, otherVersion}]
	}
	c.Inc()
	if !m.ungated && !s.backend.Ready() {
		return errNotReady
	}
	return nil
}

// countedStream counts the messages of a stream.
type countedStream struct {
	grpc.ServerStream
	m *methodMetrics
}

func (c *countedStream) SendMsg(msg any) error {
	err := c.ServerStream.SendMsg(msg)
	if err == nil {
		c.m.sent.Inc()
	}
	return err
}

func (c *countedStream) RecvMsg(msg any) error {
	err := c.ServerStream.RecvMsg(msg)
	if err == nil {
		c.m.received.Inc()
	}
	return err
}
