package mvcc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (v *View) evaluatePut(e *execution, r *pb.PutRequest, auth Authorizer) (*pb.PutResponse, error) {
	b := budget{v: v, auth: auth}
	if err := v.checkPut(r, &b); err != nil {
		return nil, err
	}
	return e.evaluatePut(r), nil
}

// checkPut checks a put against the head before anything is applied, the lease
// first, as etcd does.
func (v *View) checkPut(r *pb.PutRequest, b *budget) error {
	if r.Lease != 0 && !v.leases.granted(r.Lease) {
		return rpctypes.ErrGRPCLeaseNotFound
	}
	value := r.Value
	if r.IgnoreValue || r.IgnoreLease {
		old := v.visible(r.Key)
		if old == nil {
			return rpctypes.ErrGRPCKeyNotFound
		}
		if r.IgnoreValue {
			value = old.kv.Value
		}
	}
	return b.put(r.Key, value)
}

// visible returns the value of key at the head, nil if it is absent. For the writer.
func (v *View) visible(key []byte) *version {
	if it := v.keys[string(key)]; it != nil {
		return it.visible()
	}
	return nil
}

// putReply is a response with its header, allocated at once.
type putReply struct {
	pb.PutResponse
	header pb.ResponseHeader
}

// evaluatePut applies a put that was checked.
func (e *execution) evaluatePut(r *pb.PutRequest) *pb.PutResponse {
	resp := new(putReply)
	resp.Header = &resp.header
	value, lease := r.Value, r.Lease
	if r.IgnoreValue || r.IgnoreLease || r.PrevKv {
		// The key can be gone again only if the transaction deleted it before,
		// which the gateway refuses; it is then put as if it were empty.
		if old := e.v.visible(r.Key); old != nil {
			if r.IgnoreValue {
				value = old.kv.Value
			}
			if r.IgnoreLease {
				lease = old.kv.Lease
			}
			if r.PrevKv {
				resp.PrevKv = &old.kv
			}
		}
	}
	e.put(r.Key, value, lease)
	resp.header.Revision = e.rev
	return &resp.PutResponse
}
