package p2p

import (
	"bytes"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

func FuzzHello(f *testing.F) {
	f.Add(encodeHello(nil))
	f.Add(encodeHello(introduction{{[]byte("block"), []byte("body")}, {[]byte("block"), nil}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := decodeHello(data)
		if err != nil {
			return
		}
		if again := encodeHello(in); !bytes.Equal(again, data) || len(in) > maxIntroductionOps {
			t.Errorf("encode(decode(%x)) = %x", data, again)
		}
	})
}

func FuzzQuestion(f *testing.F) {
	f.Add(done)
	f.Add((&question{kind: laneList, salt: laneSalt{1}, set: [32]byte{2}}).encode())
	f.Add((&question{kind: laneGive, shorts: []short{{1}, {2}}}).encode())
	f.Add((&question{kind: lanePast, wanted: []dag.ID{{1}}, strict: true, tips: []tip{{identity.PublicKey{1}, 2, dag.ID{3}}}}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := decodeQuestion(data)
		if err != nil {
			return
		}
		if again := q.encode(); !bytes.Equal(again, data) {
			t.Errorf("encode(decode(%x)) = %x", data, again)
		}
	})
}

func FuzzLaneAnswers(f *testing.F) {
	m := dagtest.New(f, 1)
	id := m.Founding.ID()
	f.Add(encodeShorts(laneListed, []short{{1}, {2}}))
	f.Add(encodeGiven([]given{{[]byte("statement"), nil}, {[]byte("statement"), &id}}))
	f.Add(append(append(laneOpsHead(moreCut), m.Founding.Block()...), m.Founding.Body()...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if shorts, err := decodeListed(data); err == nil && !bytes.Equal(encodeShorts(laneListed, shorts), data) {
			t.Errorf("list %x has two encodings", data)
		}
		if all, err := decodeGiven(data); err == nil && !bytes.Equal(encodeGiven(all), data) {
			t.Errorf("statements %x have two encodings", data)
		}
		if ops, more, err := decodeLaneOps(data); err == nil {
			again := laneOpsHead(more)
			for _, u := range ops {
				again = append(append(again, u.Block()...), u.Body()...)
			}
			if !bytes.Equal(again, data) {
				t.Errorf("ops %x have two encodings", data)
			}
		}
	})
}
