package p2p

import (
	"bytes"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Each target checks that a decoder does not panic and that encoding what it
// accepted gives the same bytes: there is one encoding of every message.

func FuzzGossip(f *testing.F) {
	f.Add(encodeGossipOp([]byte("block"), []byte("body")))
	f.Add(encodeGossipOp([]byte("block"), nil))
	f.Add(encodeGossipOp([]byte("block"), bytes.Repeat([]byte("body "), 40)))
	f.Add(encodeGossipHeads(identity.PublicKey{1}, []dag.ID{{1}, {2}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeGossip(data)
		if err != nil {
			return
		}
		again := encodeGossipHeads(m.sender, m.heads)
		if m.block != nil {
			again = encodeGossipOp(m.block, m.body)
			n, err := decodeGossip(again)
			if err != nil || !bytes.Equal(n.block, m.block) || !bytes.Equal(n.body, m.body) {
				t.Errorf("decode(encode(%x)) is another op: %v", data, err)
			}
			return // one op has several forms: compressed and not
		}
		if !bytes.Equal(again, data) {
			t.Errorf("encode(decode(%x)) = %x", data, again)
		}
		if !slices.IsSortedFunc(m.heads, dag.ID.Compare) {
			t.Errorf("heads of %x do not ascend", data)
		}
	})
}

func FuzzJoinRequest(f *testing.F) {
	f.Add((&joinRequest{mesh: dag.ID{1}, invite: []byte("i"), redeem: []byte("r"), enrol: []byte("e")}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeJoinRequest(data)
		if err != nil {
			return
		}
		if again := r.encode(); !bytes.Equal(again, data) {
			t.Errorf("encode(decode(%x)) = %x", data, again)
		}
		_, _ = parseRedemption(r)
	})
}

func FuzzJoinAnswer(f *testing.F) {
	f.Add((&joinAnswer{code: joinUsed}).encode())
	f.Add((&joinAnswer{block: []byte("block"), body: []byte("body")}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeJoinAnswer(data)
		if err != nil {
			return
		}
		if again := a.encode(); !bytes.Equal(again, data) {
			t.Errorf("encode(decode(%x)) = %x", data, again)
		}
	})
}

func FuzzTicket(f *testing.F) {
	mesh := [32]byte{1}
	operator := identity.NewKeyFromSeed([32]byte{1})
	key, host := identity.NewKeyFromSeed([32]byte{2}), identity.NewKeyFromSeed([32]byte{3})
	invite, err := identity.SignStatement(identity.Statement{Mesh: &mesh, Issuer: operator.Public(), Seq: 1, Content: identity.Invite{
		Ticket: key.Public(), Host: host.Public(), Expires: 1_700_000_000_000,
		Grant: identity.Grant{Role: identity.RoleReader, Patterns: []identity.Pattern{"**"}, Nodes: 1},
	}}, operator)
	if err != nil {
		f.Fatal(err)
	}
	ticket, err := NewTicket(mesh, key, invite, []string{"/ip4/127.0.0.1/tcp/1", "/dns4/example.org/udp/2/quic-v1"})
	if err != nil {
		f.Fatal(err)
	}
	text, err := ticket.Secret()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text string) {
		ticket, err := ParseTicket(text)
		if err != nil {
			return
		}
		if again, err := ticket.Secret(); err != nil || again != string(bytes.TrimSpace([]byte(text))) {
			t.Errorf("ParseTicket(%q).Secret() = %q, %v", text, again, err)
		}
	})
}

func FuzzPeerRecord(f *testing.F) {
	f.Add(encodePeer(nil, hour()))
	f.Fuzz(func(t *testing.T, data []byte) {
		addrs, seen, err := decodePeer(data)
		if err != nil {
			return
		}
		if again := encodePeer(addrs, seen); !bytes.Equal(again, data) {
			t.Errorf("encode(decode(%x)) = %x", data, again)
		}
	})
}

func FuzzProofMessage(f *testing.F) {
	f.Add(encodeProofList([]identity.PublicKey{{1}, {2}}))
	f.Add(encodeProofs([][]byte{[]byte("proof"), nil}, true))
	f.Add(encodeProofs(nil, false))
	f.Fuzz(func(t *testing.T, data []byte) {
		if authors, err := decodeProofList(data); err == nil {
			if again := encodeProofList(authors); !bytes.Equal(again, data) {
				t.Errorf("encode(decode(%x)) = %x", data, again)
			}
		}
		if proofs, more, err := decodeProofs(data); err == nil {
			if again := encodeProofs(proofs, more); !bytes.Equal(again, data) {
				t.Errorf("encode(decode(%x)) = %x", data, again)
			}
		}
	})
}

// FuzzPlaces parses what peers say of where others are: there is one encoding of each.
func FuzzPlaces(f *testing.F) {
	f.Add(encodePlace(nil))
	f.Add(encodePlace([]byte("record")))
	f.Add(encodePlaces(nil))
	f.Add(encodePlaces([][]byte{[]byte("record"), []byte("another")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if place, err := decodePlace(b); err == nil && !bytes.Equal(encodePlace(place), b) {
			t.Errorf("a question of %x has another encoding", b)
		}
		if places, err := decodePlaces(b); err == nil && !bytes.Equal(encodePlaces(places), b) {
			t.Errorf("an answer of %x has another encoding", b)
		}
		if _, _, err := openPlace(b); err == nil {
			t.Errorf("%x proves where somebody is", b)
		}
	})
}
