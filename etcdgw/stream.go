package etcdgw

import (
	"context"
	"errors"
	"io"
)

// receiver is the receiving half of a stream of Ts.
type receiver[T any] interface {
	Context() context.Context
	Recv() (*T, error)
}

// received is a message of a stream, or the error that ended its receiving half.
type received[T any] struct {
	msg *T
	err error
}

// receive reads the stream in a goroutine of its own, so that a handler can
// wait for other things as well. One message waits at a time. The goroutine ends
// with the stream, soon after its handler has returned; Shutdown waits for it.
func receive[T any](s *Server, stream receiver[T]) <-chan received[T] {
	out := make(chan received[T])
	ctx := stream.Context()
	s.streams.Go(func() {
		for {
			msg, err := stream.Recv()
			select {
			case out <- received[T]{msg, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return out
}

// ended counts a stream that broke off rather than ending as its client meant
// it to, and returns err, or nil at the regular end.
func (s *Server) ended(ctx context.Context, direction, api string, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	if ctx.Err() == nil {
		s.metrics.streamFailures.WithLabelValues(direction, api).Inc()
		s.log.Debug("stream failed", "direction", direction, "api", api, "error", err)
	}
	return err
}
