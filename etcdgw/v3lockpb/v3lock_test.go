package v3lockpb_test

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/causeway-sync/causeway/etcdgw/v3electionpb"
	"github.com/causeway-sync/causeway/etcdgw/v3lockpb"
)

// TestNotRegistered checks that the names stay free for etcd's own code: two
// registrations in one process panic.
func TestNotRegistered(t *testing.T) {
	for _, file := range []string{"v3lock.proto", "v3election.proto"} {
		if _, err := protoregistry.GlobalFiles.FindFileByPath(file); err != protoregistry.NotFound {
			t.Errorf("FindFileByPath(%s) = %v, want %v", file, err, protoregistry.NotFound)
		}
	}
	for _, m := range []proto.Message{&v3lockpb.LockRequest{}, &v3electionpb.LeaderKey{}} {
		name := m.ProtoReflect().Descriptor().FullName()
		if _, err := protoregistry.GlobalTypes.FindMessageByName(name); err != protoregistry.NotFound {
			t.Errorf("FindMessageByName(%s) = %v, want %v", name, err, protoregistry.NotFound)
		}
	}
}

// TestMessages checks that the messages work without being registered: names,
// the wire and JSON.
func TestMessages(t *testing.T) {
	m := &v3electionpb.CampaignResponse{
		Header: &pb.ResponseHeader{Revision: 7},
		Leader: &v3electionpb.LeaderKey{Name: []byte("n"), Key: []byte("n/1"), Rev: 7, Lease: 1},
	}
	if got, want := m.ProtoReflect().Descriptor().FullName(), protoreflect.FullName("v3electionpb.CampaignResponse"); got != want {
		t.Errorf("name = %s, want %s", got, want)
	}
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var fromWire, fromText v3electionpb.CampaignResponse
	if err := proto.Unmarshal(wire, &fromWire); err != nil || !proto.Equal(m, &fromWire) {
		t.Errorf("from the wire: %v, %v, want %v", &fromWire, err, m)
	}
	if err := protojson.Unmarshal(text, &fromText); err != nil || !proto.Equal(m, &fromText) {
		t.Errorf("from JSON: %v, %v, want %v", &fromText, err, m)
	}
}
