package etcdgw

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// Backend is what the gateway needs of a node. All methods are called
// concurrently.
type Backend interface {
	// Submit evaluates one write: *pb.PutRequest, *pb.DeleteRangeRequest,
	// *pb.TxnRequest, *pb.CompactionRequest, *pb.LeaseGrantRequest,
	// *pb.LeaseRevokeRequest or *pb.AlarmRequest, or a *mvcc.Guarded of one of these. When it returns without an error the write is
	// durable and published in View. Its errors are gRPC status errors (those of
	// rpctypes), context errors, or are shown to the client with code Unknown.
	// The request is not changed after the call and its bytes may be kept.
	Submit(ctx context.Context, req proto.Message) (proto.Message, error)
	// View returns the published state. It is the same one for ever.
	View() *mvcc.View
	// Ready reports whether clients may be served. It is asked for each request,
	// so it must be cheap.
	Ready() bool
	// LogSpaceLow reports whether writes are refused because too little space is
	// left for the log. It must be cheap.
	LogSpaceLow() bool
	// Status returns figures for Maintenance/Status and the metrics.
	Status() Status
}

// Status is the state of a node's storage.
type Status struct {
	Size      int64  // bytes of storage allocated
	SizeInUse int64  // bytes of live data and history, as the quota counts them
	Quota     int64  // bytes that clients may store; 0 is no bound
	Index     uint64 // records written to the log so far; shown as raft index
}
