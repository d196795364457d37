package etcdgw

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrConfig is wrapped by every error of [Config.Validate].
	ErrConfig = errors.New("etcdgw: invalid configuration")
	// ErrAddressInUse is wrapped by the error of [Listen] for a taken port or
	// socket.
	ErrAddressInUse = errors.New("address already in use")
	// ErrClosed is returned by [Server.Serve] after [Server.Shutdown].
	ErrClosed = errors.New("etcdgw: server closed")
)

// errNotReady answers every request before the backend is ready. Clients take
// it as passing and try again, here or elsewhere.
var errNotReady = rpctypes.ErrGRPCNoLeader

// errStopped ends streams when the server stops. Clients resume elsewhere.
var errStopped = rpctypes.ErrGRPCStopped

// toStatus makes an error of the backend or the view one that gRPC sends: status
// and context errors as they are, others with code Unknown, as etcd does.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	var withStatus interface {
		error
		GRPCStatus() *status.Status
	}
	if errors.As(err, &withStatus) {
		// The text is part of the protocol, so what wraps it is left out.
		return withStatus.GRPCStatus().Err()
	}
	return status.Error(codes.Unknown, err.Error())
}

// unimplemented is the answer of a method that etcd has and this gateway has not.
func unimplemented(what string) error {
	return status.Error(codes.Unimplemented, "causeway: "+what)
}
