package etcdgw

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// healthService is the name of gRPC's own health service.
const healthService = "grpc.health.v1.Health"

// healthServer tells gRPC clients and load balancers whether the node serves.
// It is answered before the node is ready, and then says so.
type healthServer struct {
	*Server
	healthpb.UnimplementedHealthServer
}

// Check implements the health service for the server as a whole (the empty
// service name).
func (s *healthServer) Check(_ context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if r.Service != "" {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return s.health(), nil
}

// health returns the state of the server as a whole.
func (s *healthServer) health() *healthpb.HealthCheckResponse {
	if s.backend.Ready() {
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}
	}
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING}
}

// List implements the health service: the server as a whole is all there is.
func (s *healthServer) List(context.Context, *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	return &healthpb.HealthListResponse{Statuses: map[string]*healthpb.HealthCheckResponse{"": s.health()}}, nil
}

// healthPoll is how often a server that is not ready is looked at for those who
// watch its health; once it is, it stays so until it is shut down.
const healthPoll = 100 * time.Millisecond

// Watch implements the health service: it sends what is known and each change.
func (s *healthServer) Watch(r *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	state := &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVICE_UNKNOWN}
	if r.Service == "" {
		state = s.health()
	}
	if err := stream.Send(state); err != nil {
		return err
	}
	tick := time.NewTicker(healthPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.stopping.Done():
			return errStopped
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		if state.Status != healthpb.HealthCheckResponse_NOT_SERVING {
			tick.Stop()
			continue
		}
		if state = s.health(); state.Status == healthpb.HealthCheckResponse_SERVING {
			if err := stream.Send(state); err != nil {
				return err
			}
		}
	}
}
