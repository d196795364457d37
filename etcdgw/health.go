package etcdgw

import (
	"context"

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
	resp := &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING}
	if s.backend.Ready() {
		resp.Status = healthpb.HealthCheckResponse_SERVING
	}
	return resp, nil
}
