package etcdgw

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// countedCodec is gRPC's codec for protobuf, counting the bytes of messages.
type countedCodec struct {
	encoding.CodecV2
	received, sent prometheus.Counter
}

func newCountedCodec(received, sent prometheus.Counter) (*countedCodec, error) {
	c := encoding.GetCodecV2(proto.Name)
	if c == nil {
		return nil, fmt.Errorf("etcdgw: gRPC has no codec %q", proto.Name)
	}
	return &countedCodec{c, received, sent}, nil
}

// Marshal implements encoding.CodecV2.
func (c *countedCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, err := c.CodecV2.Marshal(v)
	c.sent.Add(float64(b.Len()))
	return b, err
}

// Unmarshal implements encoding.CodecV2.
func (c *countedCodec) Unmarshal(b mem.BufferSlice, v any) error {
	c.received.Add(float64(b.Len()))
	return c.CodecV2.Unmarshal(b, v)
}
