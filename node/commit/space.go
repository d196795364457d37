package commit

import (
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

const (
	// LowSpace is the free space, in bytes, below which clients may no longer put
	// anything: a log that cannot be appended to stops the node, remote
	// operations included.
	LowSpace = 128 << 20
	// LastSpace is the free space, in bytes, below which no request of a client is
	// logged at all: the rest is for operations of other nodes, which are never
	// refused.
	LastSpace = 32 << 20
	// spaceCheck is how many bytes are appended between two looks at the free
	// space, besides those at each housekeeping.
	spaceCheck = 8 << 20
)

// space says how much is free for the log.
type space int32

const (
	spaceAmple space = iota
	spaceLow
	spaceLast
)

// spaceOf returns what free bytes mean. Ample space is that again only with a
// quarter to spare, so that the alarm does not flutter.
func spaceOf(before space, free int64) space {
	switch {
	case free < LastSpace:
		return spaceLast
	case free < LowSpace, before != spaceAmple && free < LowSpace+LowSpace/4:
		return spaceLow
	default:
		return spaceAmple
	}
}

// LogSpaceLow reports whether clients' puts are refused because there is too
// little space for the log.
func (p *Pipeline) LogSpaceLow() bool { return space(p.space.Load()) != spaceAmple }

// checkSpace looks at the free space. What cannot be told counts as ample.
func (p *Pipeline) checkSpace() {
	p.sinceCheck = 0
	if p.cfg.FreeSpace == nil {
		return
	}
	free, err := p.cfg.FreeSpace()
	before := space(p.space.Load())
	now := spaceAmple
	if err == nil {
		now = spaceOf(before, free)
	} else if p.spaceErr == nil {
		p.log.Warn("cannot tell how much space is free for the log", "err", err)
	}
	p.spaceErr = err
	if now == before {
		return
	}
	p.space.Store(int32(now))
	switch now {
	case spaceAmple:
		p.log.Info("there is space for the log again: clients may write", "free", free)
	case spaceLow:
		p.log.Error("little space is left for the log: clients may only delete", "free", free, "floor", LowSpace)
	case spaceLast:
		p.log.Error("hardly any space is left for the log: clients may not write", "free", free, "floor", LastSpace)
	}
}

// spaceFor refuses what there is no space for.
func (p *Pipeline) spaceFor(msg proto.Message) error {
	switch space(p.space.Load()) {
	case spaceLow:
		if mvcc.Cost(msg) > 0 {
			return rpctypes.ErrGRPCNoSpace
		}
	case spaceLast:
		return rpctypes.ErrGRPCNoSpace
	}
	return nil
}

// raiseNoSpace raises the alarm of a full quota, unless an alarm of its kind
// stands: then it was that which refused the request.
func (p *Pipeline) raiseNoSpace(now time.Time) *mvcc.Change {
	if p.view.AlarmStands(pb.AlarmType_NOSPACE) {
		return nil
	}
	_, ch, err := p.view.Evaluate(&pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, MemberID: p.cfg.MemberID(p.self), Alarm: pb.AlarmType_NOSPACE,
	}, nil, now)
	if err != nil {
		return nil
	}
	p.log.Error("the quota is full: clients may only delete until the alarm NOSPACE is disarmed", "quota", p.cfg.Quota)
	return ch
}
