package mvcc

import (
	"cmp"
	"maps"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// Alarm is an alarm that stands: the member it is about, and its type.
type Alarm struct {
	Member uint64
	Type   pb.AlarmType
}

// AlarmChange is an alarm raised or ended; one of type NONE is no change.
type AlarmChange struct {
	Alarm
	Raised bool
}

// Alarms returns the alarms that stand and are published, by type and member.
// The slice must not be modified. It never blocks.
func (v *View) Alarms() []Alarm { return *v.alarmsShown.Load() }

// AlarmStands reports whether an alarm of the type stands at the head. Only the
// writer may call it.
func (v *View) AlarmStands(kind pb.AlarmType) bool {
	for a := range v.alarms {
		if a.Type == kind {
			return true
		}
	}
	return false
}

// evaluateAlarm lists, raises or ends alarms as etcd does: raising one that
// stands changes nothing and returns it, ending one that does not returns none.
func (v *View) evaluateAlarm(e *execution, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	resp := &pb.AlarmResponse{Header: &pb.ResponseHeader{Revision: v.head}}
	a := Alarm{r.MemberID, r.Alarm}
	_, stands := v.alarms[a]
	switch {
	case r.Action == pb.AlarmRequest_GET:
		for _, a := range sortedAlarms(v.alarms) {
			if r.Alarm == pb.AlarmType_NONE || r.Alarm == a.Type {
				resp.Alarms = append(resp.Alarms, &pb.AlarmMember{MemberID: a.Member, Alarm: a.Type})
			}
		}
		return resp, nil
	case r.Action == pb.AlarmRequest_ACTIVATE && a.Type != pb.AlarmType_NONE:
		if !stands && len(v.alarms) >= maxAlarms {
			return nil, rpctypes.ErrGRPCNoSpace
		}
	case r.Action == pb.AlarmRequest_DEACTIVATE && stands:
	default:
		return resp, nil
	}
	if raised := r.Action == pb.AlarmRequest_ACTIVATE; raised != stands {
		e.record().Alarm = AlarmChange{a, raised}
		v.setAlarm(e.change.Alarm)
	}
	resp.Alarms = []*pb.AlarmMember{{MemberID: a.Member, Alarm: a.Type}}
	return resp, nil
}

// setAlarm applies a change at the head. For the writer.
func (v *View) setAlarm(c AlarmChange) {
	if c.Raised {
		v.alarms[c.Alarm] = struct{}{}
	} else {
		delete(v.alarms, c.Alarm)
	}
	v.alarmsChanged = true
}

func sortedAlarms(set map[Alarm]struct{}) []Alarm {
	return slices.SortedFunc(maps.Keys(set), func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Member, b.Member))
	})
}

// admits says whether the alarms and the quota let a request of a client be
// evaluated. Any CORRUPT alarm refuses every write; any NOSPACE alarm, and a full
// quota, those that need room. For the writer.
func (v *View) admits(req proto.Message) error {
	if _, ok := req.(*pb.AlarmRequest); ok {
		return nil
	}
	full := false
	for a := range v.alarms {
		switch a.Type {
		case pb.AlarmType_CORRUPT:
			if t, ok := req.(*pb.TxnRequest); !ok || !ReadOnly(t) {
				return rpctypes.ErrGRPCCorrupt
			}
		case pb.AlarmType_NOSPACE:
			full = true
		}
	}
	if cost := Cost(req); cost > 0 && (full || !v.hasRoom(cost)) {
		return rpctypes.ErrGRPCNoSpace
	}
	return nil
}

// Cost returns how many bytes a request may add to what the quota counts, 0 if
// it adds nothing: of a transaction the more expensive branch counts. Requests
// that only delete cost nothing, since they must be possible when there is no
// room.
func Cost(req proto.Message) int64 {
	switch r := req.(type) {
	case *pb.PutRequest:
		return versionOverhead + int64(len(r.Key)+len(r.Value))
	case *pb.TxnRequest:
		return max(branchCost(r.GetSuccess()), branchCost(r.GetFailure()))
	case *pb.LeaseGrantRequest:
		return leaseOverhead
	case *Guarded:
		return Cost(r.Message)
	}
	return 0
}

func branchCost(ops []*pb.RequestOp) (sum int64) {
	for _, op := range ops {
		switch t := op.GetRequest().(type) {
		case *pb.RequestOp_RequestPut:
			sum += Cost(t.RequestPut)
		case *pb.RequestOp_RequestTxn:
			sum += Cost(t.RequestTxn)
		}
	}
	return sum
}

// size returns the bytes that the quota bounds. Called by the writer, or with mu held.
func (v *View) size() int64 {
	return v.history.bytes - v.history.remote + leaseOverhead*int64(len(v.leases.head))
}

// hasRoom reports whether cost more bytes stay within the quota. What has been
// compacted but not freed yet does not count: it is freed first. For the writer.
func (v *View) hasRoom(cost int64) bool {
	if v.quota <= 0 {
		return true
	}
	for v.size()+cost >= v.quota {
		first := v.history.first
		v.Prune()
		if v.history.first == first {
			return false
		}
	}
	return true
}
