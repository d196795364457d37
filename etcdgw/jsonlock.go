package etcdgw

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/v3electionpb"
	"github.com/causeway-sync/causeway/etcdgw/v3lockpb"
)

// registerLocks adds the paths of Lock and Election, for which etcd's API module
// has no gateway.
func (g *jsonGateway) registerLocks() error {
	election := v3electionpb.NewElectionClient(g.conn)
	return errors.Join(
		jsonUnary[v3lockpb.LockRequest, v3lockpb.LockResponse](g, "/v3/lock/lock", v3lockpb.Lock_Lock_FullMethodName),
		jsonUnary[v3lockpb.UnlockRequest, v3lockpb.UnlockResponse](g, "/v3/lock/unlock", v3lockpb.Lock_Unlock_FullMethodName),
		jsonUnary[v3electionpb.CampaignRequest, v3electionpb.CampaignResponse](g, "/v3/election/campaign", v3electionpb.Election_Campaign_FullMethodName),
		jsonUnary[v3electionpb.ProclaimRequest, v3electionpb.ProclaimResponse](g, "/v3/election/proclaim", v3electionpb.Election_Proclaim_FullMethodName),
		jsonUnary[v3electionpb.LeaderRequest, v3electionpb.LeaderResponse](g, "/v3/election/leader", v3electionpb.Election_Leader_FullMethodName),
		jsonUnary[v3electionpb.ResignRequest, v3electionpb.ResignResponse](g, "/v3/election/resign", v3electionpb.Election_Resign_FullMethodName),
		jsonCall(g, "/v3/election/observe", v3electionpb.Election_Observe_FullMethodName, func(c *jsonRequest, in *v3electionpb.LeaderRequest) error {
			stream, err := election.Observe(c.ctx, in)
			if err != nil {
				return err
			}
			if c.md.HeaderMD, err = stream.Header(); err != nil {
				return err
			}
			runtime.ForwardResponseStream(c.annotated(), g.mux, c.outbound, c.w, c.r, func() (proto.Message, error) { return stream.Recv() })
			return nil
		}),
	)
}

// jsonRequest is a request over HTTP on its way through a call, as the code
// that etcd generates for the other services does it.
type jsonRequest struct {
	ctx      context.Context
	w        http.ResponseWriter
	r        *http.Request
	outbound runtime.Marshaler
	md       runtime.ServerMetadata // of the answer
}

func (c *jsonRequest) annotated() context.Context {
	return runtime.NewServerMetadataContext(c.ctx, c.md)
}

// message is a *T that is a message.
type message[T any] interface {
	*T
	proto.Message
}

// jsonUnary serves POST on path with a call that has one answer.
func jsonUnary[In, Out any, PIn message[In], POut message[Out]](g *jsonGateway, path, method string) error {
	return jsonCall(g, path, method, func(c *jsonRequest, in PIn) error {
		out := POut(new(Out))
		if err := g.conn.Invoke(c.ctx, method, in, out, grpc.Header(&c.md.HeaderMD), grpc.Trailer(&c.md.TrailerMD)); err != nil {
			return err
		}
		runtime.ForwardResponseMessage(c.annotated(), g.mux, c.outbound, c.w, c.r, out)
		return nil
	})
}

// jsonCall serves POST on path: call makes the call and forwards its answer, or
// returns its error.
func jsonCall[In any, PIn message[In]](g *jsonGateway, path, method string, call func(c *jsonRequest, in PIn) error) error {
	return g.mux.HandlePath(http.MethodPost, path, func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		inbound, outbound := runtime.MarshalerForRequest(g.mux, r)
		annotated, err := runtime.AnnotateContext(ctx, g.mux, r, method, runtime.WithHTTPPathPattern(path))
		c := &jsonRequest{ctx: annotated, w: w, r: r, outbound: outbound}
		if err != nil {
			runtime.HTTPError(ctx, g.mux, outbound, w, r, err)
			return
		}
		in := PIn(new(In))
		if err = inbound.NewDecoder(r.Body).Decode(in); err != nil && !errors.Is(err, io.EOF) {
			err = status.Error(codes.InvalidArgument, err.Error())
		} else {
			_, _ = io.Copy(io.Discard, r.Body) // what is left of it; its error is the connection's
			err = call(c, in)
		}
		if err != nil {
			runtime.HTTPError(c.annotated(), g.mux, outbound, w, r, err)
		}
	})
}
