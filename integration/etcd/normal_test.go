package etcd

import (
	"bytes"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type protoName = protoreflect.Name

// firstToken stands for the first lease ID that a server chose; the next
// number for the next. No test chooses an ID from there on.
const firstToken = int64(1) << 60

// ttlSlack is by how many seconds times to live may differ.
const ttlSlack = 10

// Fields that hold revisions.
var (
	requestRevisions = fields(
		"RangeRequest.revision", "RangeRequest.min_mod_revision", "RangeRequest.max_mod_revision",
		"RangeRequest.min_create_revision", "RangeRequest.max_create_revision",
		"Compare.create_revision", "Compare.mod_revision", "CompactionRequest.revision",
		"WatchCreateRequest.start_revision", "HashKVRequest.revision", "v3electionpb.LeaderKey.rev")
	responseRevisions = fields(
		"ResponseHeader.revision", "mvccpb.KeyValue.create_revision", "mvccpb.KeyValue.mod_revision",
		"WatchResponse.compact_revision", "HashKVResponse.compact_revision", "HashKVResponse.hash_revision",
		"v3electionpb.LeaderKey.rev")
	requestLeases = fields("PutRequest.lease", "Compare.lease", "LeaseRevokeRequest.ID",
		"LeaseKeepAliveRequest.ID", "LeaseTimeToLiveRequest.ID")
	responseLeases = fields("mvccpb.KeyValue.lease", "LeaseGrantResponse.ID", "LeaseKeepAliveResponse.ID",
		"LeaseTimeToLiveResponse.ID", "LeaseStatus.ID")
	responseClusters = fields("ResponseHeader.cluster_id")
	responseMembers  = fields("ResponseHeader.member_id", "StatusResponse.leader", "Member.ID")
	responseTerms    = fields("ResponseHeader.raft_term", "StatusResponse.raftTerm")
	// Must be there where etcd has them.
	responsePresent = fields("StatusResponse.version", "StatusResponse.storageVersion", "StatusResponse.dbSize",
		"StatusResponse.dbSizeInUse", "StatusResponse.raftIndex", "StatusResponse.raftAppliedIndex",
		"HashResponse.hash", "HashKVResponse.hash", "AuthenticateResponse.token")
	responseIgnored = fields("StatusResponse.dbSizeQuota", "Member.name", "Member.peerURLs", "Member.clientURLs")
)

// fields is a set of field names, in package etcdserverpb unless they name another one.
func fields(names ...string) map[protoreflect.FullName]bool {
	out := map[protoreflect.FullName]bool{}
	for _, n := range names {
		full := protoreflect.FullName(n)
		if full.Parent().Parent() == "" {
			full = "etcdserverpb." + full
		}
		out[full] = true
	}
	return out
}

// outgoing returns req in the site's own terms.
func (s *site) outgoing(req proto.Message) proto.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := proto.Clone(req)
	walk(out.ProtoReflect(), func(m protoreflect.Message, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
		switch name := fd.FullName(); {
		case requestRevisions[name] && v.Int() > 1:
			m.Set(fd, protoreflect.ValueOfInt64(v.Int()+s.base))
		case requestLeases[name]:
			if id, ok := s.leases[v.Int()]; ok {
				m.Set(fd, protoreflect.ValueOfInt64(id))
			}
		case name == "etcdserverpb.MoveLeaderRequest.targetID" && v.Uint() == 1:
			m.Set(fd, protoreflect.ValueOfUint64(s.member))
		}
	})
	return out
}

// incoming turns a response into the common terms, in place.
func (s *site) incoming(resp proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := resp.(*pb.LeaseTimeToLiveResponse); ok {
		slices.SortFunc(r.Keys, bytes.Compare)
	}
	if r, ok := resp.(*pb.StatusResponse); ok {
		for i, text := range r.Errors {
			r.Errors[i] = strings.ReplaceAll(text, "  ", " ") // the encoder adds a space or not, by build
		}
	}
	known := func(own uint64) func(uint64) uint64 {
		return func(id uint64) uint64 {
			if id == own {
				return 1
			}
			return id
		}
	}
	cluster, member, term := known(s.cluster), known(s.member), known(s.term)
	walk(resp.ProtoReflect(), func(m protoreflect.Message, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
		switch name := fd.FullName(); {
		case responseRevisions[name]:
			if v.Int() > s.base {
				m.Set(fd, protoreflect.ValueOfInt64(v.Int()-s.base))
			}
		case responseLeases[name]:
			if token, ok := s.tokens[v.Int()]; ok {
				m.Set(fd, protoreflect.ValueOfInt64(token))
			}
		case responseClusters[name]:
			m.Set(fd, protoreflect.ValueOfUint64(cluster(v.Uint())))
		case responseMembers[name]:
			m.Set(fd, protoreflect.ValueOfUint64(member(v.Uint())))
		case responseTerms[name]:
			m.Set(fd, protoreflect.ValueOfUint64(term(v.Uint())))
		case s.hashes && name == "etcdserverpb.HashKVResponse.hash":
		case responsePresent[name]:
			m.Set(fd, present(fd))
		case responseIgnored[name]:
			m.Clear(fd)
		}
	})
}

// granted gives a lease ID that the server chose the next token.
func (s *site) granted(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := firstToken + int64(len(s.tokens))
	s.tokens[id], s.leases[token] = token, id
}

// present is what stands for any value but the zero one.
func present(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("present")
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1)
	default:
		return protoreflect.ValueOfInt64(1)
	}
}

// walk calls fn for every scalar field that is set in m and the messages in it, and every list of scalars.
func walk(m protoreflect.Message, fn func(protoreflect.Message, protoreflect.FieldDescriptor, protoreflect.Value)) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		isMessage := fd.Kind() == protoreflect.MessageKind
		switch {
		case fd.IsList() && isMessage:
			for i := range v.List().Len() {
				walk(v.List().Get(i).Message(), fn)
			}
		case isMessage:
			walk(v.Message(), fn)
		default:
			fn(m, fd, v)
		}
		return true
	})
}
