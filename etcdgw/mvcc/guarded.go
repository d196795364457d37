package mvcc

import "google.golang.org/protobuf/proto"

// Guarded is a request that [View.Evaluate] evaluates only if Check returns nil,
// and answers with Check's error otherwise. Check is called at the head, right
// before the request is evaluated, so nothing can change in between; it is
// given the keys under any lease there (none if there is no such lease). It
// must not block, nor keep or change the keys.
type Guarded struct {
	proto.Message // one of the requests of Evaluate
	Check         func(leaseKeys func(lease int64) [][]byte) error
}

// attachedKeys returns the keys whose current put is under the lease, in order.
// For the writer.
func (s *lessor) attachedKeys(id int64) [][]byte {
	if !s.granted(id) {
		return nil
	}
	items := s.attached(id)
	keys := make([][]byte, len(items))
	for i, it := range items {
		keys[i] = it.key()
	}
	return keys
}
