package node

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// gatewayBackend is the node as the gateway sees it.
type gatewayBackend struct{ *Node }

// Submit implements etcdgw.Backend.
func (b gatewayBackend) Submit(ctx context.Context, req proto.Message) (proto.Message, error) {
	return b.pipeline.Submit(ctx, req)
}

// View implements etcdgw.Backend.
func (b gatewayBackend) View() *mvcc.View { return b.pipeline.View() }

// Ready implements etcdgw.Backend.
func (b gatewayBackend) Ready() bool { return b.pipeline.Ready() }

// LogSpaceLow implements etcdgw.Backend.
func (b gatewayBackend) LogSpaceLow() bool { return b.pipeline.LogSpaceLow() }

// Status implements etcdgw.Backend.
func (b gatewayBackend) Status() etcdgw.Status {
	size, err := b.store.Size()
	if err != nil {
		size = 0 // shown as unknown; the failure itself stops the pipeline
	}
	return etcdgw.Status{Size: size, SizeInUse: b.View().Stats().Stored, Quota: b.cfg.quota(), Index: uint64(b.store.Last())}
}
