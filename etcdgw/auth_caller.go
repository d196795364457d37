package etcdgw

import (
	"context"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// gatewayAcceptKey is metadata that grpc-gateway adds to requests it forwards.
// The certificate they come with is the proxy's, not the user's.
const gatewayAcceptKey = "grpcgateway-accept"

// caller returns who makes a request: the user of its token or, with
// --client-cert-auth and no token, the common name of its certificate. Without
// either, and while authentication is disabled, it is nobody. Error:
// ErrGRPCInvalidAuthToken.
func (s *Server) caller(ctx context.Context) (auth.Info, error) {
	if !s.auth.Enabled() {
		return auth.Info{}, nil
	}
	for _, key := range [2]string{rpctypes.TokenFieldNameGRPC, rpctypes.TokenFieldNameSwagger} {
		if token := metadata.ValueFromIncomingContext(ctx, key); len(token) > 0 {
			return s.auth.ByToken(strings.TrimPrefix(token[0], "Bearer "))
		}
	}
	if name, ok := certificateName(ctx); ok && s.cfg.TLS.ClientCertAuth {
		return s.auth.ByName(name), nil
	}
	return auth.Info{}, nil
}

// certificateName returns the common name of the certificate that the client
// of a request has proven to be its own.
func certificateName(ctx context.Context) (string, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(metadata.ValueFromIncomingContext(ctx, gatewayAcceptKey)) > 0 {
		return "", false
	}
	for _, chain := range info.State.VerifiedChains {
		if len(chain) > 0 {
			return chain[0].Subject.CommonName, true
		}
	}
	return "", false
}

// admission says whom a method is for.
type admission int

const (
	forKnown admission = iota + 1 // any user
	forAdmin                      // users with the role root
)

// admissions are the methods that need no more than to know the user, or its
// role, before anything else is looked at. The others check themselves.
var admissions = map[string]admission{
	pb.KV_Compact_FullMethodName:              forAdmin,
	pb.Lease_LeaseGrant_FullMethodName:        forKnown,
	pb.Lease_LeaseRevoke_FullMethodName:       forKnown, // and may write its keys
	pb.Lease_LeaseTimeToLive_FullMethodName:   forKnown, // and may read its keys, if asked for
	pb.Cluster_MemberList_FullMethodName:      forKnown,
	pb.Cluster_MemberRemove_FullMethodName:    forAdmin,
	pb.Cluster_MemberUpdate_FullMethodName:    forAdmin,
	pb.Cluster_MemberPromote_FullMethodName:   forAdmin,
	pb.Maintenance_Status_FullMethodName:      forKnown,
	pb.Maintenance_Alarm_FullMethodName:       forAdmin, // forKnown to list
	pb.Maintenance_Defragment_FullMethodName:  forAdmin,
	pb.Maintenance_Downgrade_FullMethodName:   forAdmin,
	pb.Maintenance_Hash_FullMethodName:        forAdmin,
	pb.Maintenance_HashKV_FullMethodName:      forAdmin,
	pb.Maintenance_MoveLeader_FullMethodName:  forAdmin,
	pb.Maintenance_Snapshot_FullMethodName:    forAdmin,
	"/etcdserverpb.Maintenance/DowngradeInfo": forAdmin,
}

// admitCaller refuses a call of a method that the caller may not call at all.
// The request is nil if it is a stream's.
func (s *Server) admitCaller(ctx context.Context, method string, req any) error {
	a := admissions[method]
	if a == 0 || !s.auth.Enabled() {
		return nil
	}
	if r, ok := req.(*pb.AlarmRequest); ok && r.Action == pb.AlarmRequest_GET {
		a = forKnown
	}
	by, err := s.caller(ctx)
	if err != nil {
		return err
	}
	if a == forAdmin {
		return s.auth.CheckAdmin(by)
	}
	return s.auth.CheckKnown(by)
}

// guarded returns req as a request that the backend evaluates only if the caller
// may make it then: permissions are checked in the order of writes, as etcd does
// when it applies them. Errors: those of caller.
func (s *Server) guarded(ctx context.Context, req proto.Message) (proto.Message, error) {
	by, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	g := &mvcc.Guarded{Message: req}
	switch r := req.(type) {
	case *pb.PutRequest:
		g.Check = func(keys func(int64) [][]byte) error { return s.auth.CheckPut(by, r, keys) }
	case *pb.DeleteRangeRequest:
		g.Check = func(func(int64) [][]byte) error { return s.auth.CheckDelete(by, r) }
	case *pb.TxnRequest:
		g.Check = func(keys func(int64) [][]byte) error { return s.auth.CheckTxn(by, r, keys) }
	case *pb.LeaseRevokeRequest:
		g.Check = func(keys func(int64) [][]byte) error { return s.auth.CheckLease(by, r.ID, true, keys) }
	default:
		return req, nil // admitCaller has done it
	}
	return g, nil
}

// read answers a read that check allows the caller. What was read is not
// shown if users or roles have changed meanwhile.
func read[Resp any](ctx context.Context, s *Server, check func(auth.Info) error, do func() (Resp, error)) (Resp, error) {
	var none Resp
	by, err := s.caller(ctx)
	if err != nil {
		return none, err
	}
	if err := check(by); err != nil {
		return none, err
	}
	resp, err := do()
	if stale := s.auth.CheckCurrent(by); stale != nil {
		return none, stale
	}
	return resp, err
}

// leaseKeys returns the keys that readers see under a lease.
func (s *Server) leaseKeys(lease int64) [][]byte {
	st, err := s.view.LeaseTimeToLive(lease, true, s.cfg.Now())
	if err != nil {
		return nil
	}
	return st.Keys
}
