package etcdgw

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/causeway-sync/causeway/etcdgw/v3electionpb"
)

func TestElection(t *testing.T) {
	s := newSite(t)
	election, ctx := v3electionpb.NewElectionClient(s.conn), testContext(t)
	name := []byte("e")
	s.grant(t, 1)
	s.grant(t, 2)
	// It starts before there is a leader, and sees all that follows.
	observer, err := election.Observe(ctx, &v3electionpb.LeaderRequest{Name: name})
	fatal(t, err)
	observed := func(value string, revision int64) {
		t.Helper()
		got, err := observer.Recv()
		if err != nil || string(got.Kv.Value) != value || got.Kv.ModRevision != revision || got.Header.Revision < revision {
			t.Errorf("observed %v, %v, want %q of revision %d", got, err, value, revision)
		}
	}

	first, err := election.Campaign(ctx, &v3electionpb.CampaignRequest{Name: name, Lease: 1, Value: []byte("a")})
	fatal(t, err)
	want := &v3electionpb.LeaderKey{Name: name, Key: []byte("e/1"), Rev: 2, Lease: 1}
	if diff := cmp.Diff(want, first.Leader, protocmp.Transform()); diff != "" || first.Header.Revision != 2 {
		t.Errorf("Campaign = %v, want revision 2 and (-want +got):\n%s", first, diff)
	}
	observed("a", 2)
	// A campaign with the same lease is the same candidate, with a new value.
	again, err := election.Campaign(ctx, &v3electionpb.CampaignRequest{Name: name, Lease: 1, Value: []byte("b")})
	fatal(t, err)
	if diff := cmp.Diff(want, again.Leader, protocmp.Transform()); diff != "" {
		t.Errorf("Campaign again (-want +got):\n%s", diff)
	}
	observed("b", 3)

	second := make(chan *v3electionpb.CampaignResponse, 1)
	go func() {
		resp, err := election.Campaign(ctx, &v3electionpb.CampaignRequest{Name: name, Lease: 2, Value: []byte("c")})
		if err != nil {
			t.Errorf("second Campaign = %v", err)
		}
		second <- resp
	}()
	s.awaitKeys(t, "e/", 2)
	proclaimed, err := election.Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: first.Leader, Value: []byte("d")})
	if err != nil || proclaimed.Header.Revision != 5 {
		t.Errorf("Proclaim = %v, %v, want revision 5", proclaimed, err)
	}
	observed("d", 5)
	leader, err := election.Leader(ctx, &v3electionpb.LeaderRequest{Name: name})
	if err != nil || string(leader.Kv.Key) != "e/1" || string(leader.Kv.Value) != "d" || leader.Header.Revision != 5 {
		t.Errorf("Leader = %v, %v, want e/1, d, revision 5", leader, err)
	}
	resigned, err := election.Resign(ctx, &v3electionpb.ResignRequest{Leader: first.Leader})
	if err != nil || resigned.Header.Revision != 6 {
		t.Errorf("Resign = %v, %v, want revision 6", resigned, err)
	}
	if resp := <-second; string(resp.GetLeader().GetKey()) != "e/2" || resp.GetLeader().GetRev() != 4 {
		t.Errorf("second Campaign = %v, want e/2 of revision 4", resp)
	}
	observed("c", 4)
	_, err = s.lease.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: 2}) // nobody leads
	fatal(t, err)
	_, err = election.Campaign(ctx, &v3electionpb.CampaignRequest{Name: name, Lease: 1, Value: []byte("e")})
	fatal(t, err)
	observed("e", 8)
}

func TestElectionErrors(t *testing.T) {
	s := newSite(t)
	e := v3electionpb.NewElectionClient(s.conn)
	s.grant(t, 1)
	c, err := e.Campaign(testContext(t), &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 1})
	fatal(t, err)
	other := &v3electionpb.LeaderKey{Name: []byte("e"), Key: c.Leader.Key, Rev: c.Leader.Rev + 1, Lease: 1}
	for _, tt := range []struct {
		name string
		call func(context.Context) error
		text string
	}{
		{"campaign with an unknown lease", try(e.Campaign, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: 9}), "etcdserver: requested lease not found"},
		{"proclaim as nobody", try(e.Proclaim, &v3electionpb.ProclaimRequest{}), `"leader" field must be provided`},
		{"proclaim without key", try(e.Proclaim, &v3electionpb.ProclaimRequest{Leader: &v3electionpb.LeaderKey{}}), "etcdserver: key is not provided"},
		{"proclaim as another", try(e.Proclaim, &v3electionpb.ProclaimRequest{Leader: other}), "election: not leader"},
		{"resign as nobody", try(e.Resign, &v3electionpb.ResignRequest{}), `"leader" field must be provided`},
		{"no leader", try(e.Leader, &v3electionpb.LeaderRequest{Name: []byte("x")}), "election: no leader"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantStatus(t, tt.call(testContext(t)), codes.Unknown, tt.text) })
	}
	fatal(t, try(e.Resign, &v3electionpb.ResignRequest{Leader: other})(testContext(t)))
	if keys := s.keys(t, "e/"); len(keys) != 1 {
		t.Errorf("keys %v after the resignation of another, want the leader's", keys)
	}
}

// TestElectionAbandoned checks that who gives up a campaign leaves no key.
func TestElectionAbandoned(t *testing.T) {
	s := newSite(t)
	e := v3electionpb.NewElectionClient(s.conn)
	fatal(t, try(e.Campaign, &v3electionpb.CampaignRequest{Name: []byte("e")})(testContext(t)))
	giveUp, cancel := context.WithCancel(testContext(t))
	waited := make(chan error, 1)
	go func() { waited <- try(e.Campaign, &v3electionpb.CampaignRequest{Name: []byte("e")})(giveUp) }()
	s.awaitKeys(t, "e/", 2)
	cancel()
	if err := <-waited; status.Code(err) != codes.Canceled {
		t.Errorf("Campaign given up = %v, want Canceled", err)
	}
	s.awaitKeys(t, "e/", 1)
}

// TestElectionAuth checks that locks and elections need the permissions of what
// is done to their keys, and are refused as etcd refuses them.
func TestElectionAuth(t *testing.T) {
	s := newAuthSite(t)
	e := v3electionpb.NewElectionClient(s.conn)
	s.enable(t)
	campaign := try(e.Campaign, &v3electionpb.CampaignRequest{Name: []byte("w/e")})
	leader := try(e.Leader, &v3electionpb.LeaderRequest{Name: []byte("w/e")})
	observe := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		stream, err := e.Observe(ctx, &v3electionpb.LeaderRequest{Name: []byte("w/e")})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for user, text := range map[string]string{"": "etcdserver: user name is empty", "reader": "etcdserver: permission denied"} {
		ctx := s.as(t, user)
		wantStatus(t, campaign(ctx), codes.Unknown, text)
		wantStatus(t, leader(ctx), codes.Unknown, text)
		if err := observe(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("Observe by %q = %v, want the end of the stream", user, err)
		}
	}
	ctx := s.as(t, "writer")
	fatal(t, campaign(ctx))
	fatal(t, leader(ctx))
	fatal(t, observe(ctx))
}
