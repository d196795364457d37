package etcdgw

import (
	"context"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// logSpaceError is what Status says besides the alarm while little space is left
// for the log.
const logSpaceError = "causeway: little space is left for the log"

// alarms returns the alarms that stand. Too little space for the log is one of
// type NOSPACE about this member: it ends by itself, and cannot be disarmed.
func (s *Server) alarms() []mvcc.Alarm {
	alarms := s.view.Alarms()
	if !s.backend.LogSpaceLow() {
		return alarms
	}
	own := mvcc.Alarm{Member: s.cfg.MemberID, Type: pb.AlarmType_NOSPACE}
	all := []mvcc.Alarm{own}
	for _, a := range alarms {
		if a != own {
			all = append(all, a)
		}
	}
	return all
}

// Alarm implements Maintenance.
func (s *maintenanceServer) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if r.Action == pb.AlarmRequest_GET {
		resp := &pb.AlarmResponse{Header: s.header(s.view.Revision())}
		for _, a := range s.alarms() {
			if r.Alarm == pb.AlarmType_NONE || r.Alarm == a.Type {
				resp.Alarms = append(resp.Alarms, &pb.AlarmMember{MemberID: a.Member, Alarm: a.Type})
			}
		}
		return resp, nil
	}
	resp, err := submit[*pb.AlarmResponse](ctx, s.Server, r)
	if err != nil {
		return nil, err
	}
	s.fill(&resp.Header)
	return resp, nil
}

// statusErrors describes what is wrong, alarms as etcd does.
func (s *Server) statusErrors() (errs []string) {
	for _, a := range s.alarms() {
		text := fmt.Sprintf("alarm:%v", a.Type)
		if a.Member != 0 {
			text = fmt.Sprintf("memberID:%d ", a.Member) + text
		}
		errs = append(errs, text)
	}
	if s.backend.LogSpaceLow() {
		errs = append(errs, logSpaceError)
	}
	return errs
}

// alarmReason is the reason that /health gives for the first alarm that is not
// excluded by its type's name, "" if there is none.
func (s *Server) alarmReason(excluded []string) string {
	for _, a := range s.alarms() {
		switch name := a.Type.String(); {
		case slices.Contains(excluded, name):
		case a.Type == pb.AlarmType_NOSPACE, a.Type == pb.AlarmType_CORRUPT:
			return "ALARM " + name
		default:
			return "ALARM UNKNOWN"
		}
	}
	return ""
}

// checkCorrupt fails while an alarm of type CORRUPT stands.
func (s *Server) checkCorrupt(context.Context) error {
	for _, a := range s.alarms() {
		if a.Type == pb.AlarmType_CORRUPT {
			return fmt.Errorf("alarm activated: %v", a.Type)
		}
	}
	return nil
}
