package etcdgw

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestToStatus(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{nil, codes.OK, ""},
		{rpctypes.ErrGRPCCompacted, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted"},
		{fmt.Errorf("evaluate: %w", rpctypes.ErrGRPCLeaseNotFound), codes.NotFound, "etcdserver: requested lease not found"},
		{context.Canceled, codes.Canceled, "context canceled"},
		{fmt.Errorf("submit: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "submit: context deadline exceeded"},
		{errors.New("disk full"), codes.Unknown, "disk full"},
	} {
		if got := status.Convert(toStatus(tt.err)); got.Code() != tt.code || got.Message() != tt.text {
			t.Errorf("toStatus(%v) = %v %q, want %v %q", tt.err, got.Code(), got.Message(), tt.code, tt.text)
		}
	}
}
