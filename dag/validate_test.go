package dag_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// A refusalCase makes an op that breaks exactly one rule; it is kept as a
// golden vector too. The ops of past come before it, in order.
type refusalCase struct {
	name        string
	reason      dag.Reason
	past        []*dag.Signed
	block, body []byte
}

// refusals returns at least one case for every reason.
func refusals(tb testing.TB) []refusalCase {
	r := &refuser{m: dagtest.NewMesh(tb, dagtest.Config{Authors: 4, Members: []dagtest.Member{
		{Role: identity.RoleReader},
		{Role: identity.RoleWriter, Patterns: []string{"/a/**", "/b/*/c"}},
	}})}
	r.forms()
	r.bodies()
	r.founding()
	r.places()
	r.totals()
	r.grants()
	r.schemas()
	r.rosters()
	return r.cases
}

type refuser struct {
	m     *dagtest.Mesh
	cases []refusalCase
}

// bytes adds a case of bytes that are refused without a past.
func (r *refuser) bytes(name string, reason dag.Reason, block, body []byte) {
	r.cases = append(r.cases, refusalCase{name: name, reason: reason, block: block, body: body})
}

// signed adds a case of a signed op that Add refuses.
func (r *refuser) signed(name string, reason dag.Reason, s *dag.Signed, past ...*dag.Signed) {
	past = append(slices.Clone(r.m.Enrolled), past...)
	r.cases = append(r.cases, refusalCase{name, reason, past, s.Block(), s.Body()})
}

// raw encodes a block with an arbitrary header, unsigned.
func raw(h dag.Header, version uint64, fields int) []byte {
	link := func(b []byte, id *dag.ID) []byte {
		if id == nil {
			return dagcbor.AppendNull(b)
		}
		return dagcbor.AppendLink(b, *id)
	}
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendArray(b, fields)
	b = dagcbor.AppendUint(b, version)
	b = link(b, h.Mesh)
	b = dagcbor.AppendBytes(b, h.Author[:])
	b = dagcbor.AppendUint(b, h.Seq)
	b = link(b, h.Prev)
	b = dagcbor.AppendArray(b, len(h.Parents))
	for _, p := range h.Parents {
		b = dagcbor.AppendLink(b, p)
	}
	for _, v := range []uint64{h.Depth, h.Wall, h.Epoch, h.Bytes, h.Writes, h.Size} {
		b = dagcbor.AppendUint(b, v)
	}
	for _, root := range []*[32]byte{h.Transactions, h.Statements, h.Schemas} {
		if root == nil {
			b = dagcbor.AppendNull(b)
		} else {
			b = dagcbor.AppendBytes(b, root[:])
		}
	}
	return dagcbor.AppendBytes(b, make([]byte, 64))
}

func (r *refuser) forms() {
	good := r.m.Draw("G -> b1").Signed("b1")
	h := *good.Header()
	block := good.Block()

	r.bytes("block empty", dag.ReasonMalformed, nil, nil)
	r.bytes("block cut", dag.ReasonMalformed, block[:len(block)-1], nil)
	r.bytes("block trailing byte", dag.ReasonMalformed, append(slices.Clone(block), 0), nil)
	r.bytes("header of 16 fields", dag.ReasonMalformed, raw(h, dag.Version, 16), nil)
	long := slices.Clone(block)
	long = append(append(long[:1:1], 0x98, 15), long[2:]...) // array head not of the shortest form
	r.bytes("array head too long", dag.ReasonMalformed, long, nil)
	r.bytes("version 2", dag.ReasonVersion, raw(h, dag.Version+1, 15), nil)
	r.bytes("version 2 of 16 fields", dag.ReasonVersion, raw(h, dag.Version+1, 16), nil)

	edit := func(f func(*dag.Header)) []byte {
		e := h
		f(&e)
		return raw(e, dag.Version, 15)
	}
	many := make([]dag.ID, dag.MaxParents+1)
	for i := range many {
		many[i][0] = byte(i)
	}
	r.bytes("129 parents", dag.ReasonLimit, edit(func(h *dag.Header) { h.Parents = many }), nil)
	r.bytes("block of 6 KiB and 1", dag.ReasonLimit, make([]byte, dag.MaxBlock+1), nil)
	r.bytes("body of 4 MiB and 1", dag.ReasonLimit, edit(func(h *dag.Header) { h.Size = dag.MaxBody + 1 }), nil)
	r.bytes("parents descending", dag.ReasonParentOrder, edit(func(h *dag.Header) { h.Parents = []dag.ID{many[1], many[0]} }), nil)
	r.bytes("parent twice", dag.ReasonParentOrder, edit(func(h *dag.Header) { h.Parents = []dag.ID{many[1], many[1]} }), nil)
	r.bytes("seq 0", dag.ReasonSeqPrev, edit(func(h *dag.Header) { h.Seq = 0 }), nil)
	r.bytes("seq 2 without prev", dag.ReasonSeqPrev, edit(func(h *dag.Header) { h.Seq = 2 }), nil)
	r.bytes("seq 1 with prev", dag.ReasonSeqPrev, edit(func(h *dag.Header) { h.Prev = &many[1] }), nil)

	forged := slices.Clone(block)
	forged[len(forged)-1] ^= 1
	r.bytes("signature altered", dag.ReasonSignature, forged, nil)
	wall := h
	wall.Wall++
	b := raw(wall, dag.Version, 15)
	r.bytes("signature of another header", dag.ReasonSignature, append(b[:len(b)-64], block[len(block)-64:]...), nil)
}

func (r *refuser) bodies() {
	put := func(key string) []byte { return dag.Transaction{dagtest.Put(key, "v")}.Append(nil) }
	// with encodes a header that suits the body.
	with := func(body dag.Body, container []byte) []byte {
		h := *r.m.Draw("G -> b1").Signed("b1").Header()
		h.Size = uint64(len(container))
		h.Transactions, h.Statements, h.Schemas = body.Roots()
		return raw(h, dag.Version, 15)
	}
	add := func(name string, reason dag.Reason, body dag.Body) {
		r.bytes(name, reason, with(body, body.Encode()), body.Encode())
	}
	one := dag.Body{Transactions: [][]byte{put("k")}}
	container := one.Encode()
	r.bytes("body missing", dag.ReasonBodySize, with(one, container), nil)
	r.bytes("body longer", dag.ReasonBodySize, with(one, container), append(slices.Clone(container), 0))
	trailing := append(slices.Clone(container), 0)
	r.bytes("body trailing byte", dag.ReasonBody, with(one, trailing), trailing)
	nothing := []byte{0x83, 0x80, 0x80, 0x80}
	r.bytes("body of nothing", dag.ReasonBody, with(dag.Body{}, nothing), nothing)
	other := dag.Body{Transactions: [][]byte{put("j")}}
	r.bytes("body with another transaction", dag.ReasonRoots, with(one, container), other.Encode())
	moved := dag.Body{Statements: one.Transactions}
	schema := dag.Body{Transactions: one.Transactions, Schemas: [][]byte{{}}}
	r.bytes("body with a schema more", dag.ReasonRoots, with(one, schema.Encode()), schema.Encode())
	r.bytes("body of two lists", dag.ReasonBody, with(one, append([]byte{0x82}, container[1:len(container)-1]...)), append([]byte{0x82}, container[1:len(container)-1]...))
	r.bytes("transaction among the statements", dag.ReasonRoots, with(one, container), moved.Encode())

	add("transaction without writes", dag.ReasonTransaction, dag.Body{Transactions: [][]byte{dag.Transaction{}.Append(nil)}})
	add("transaction empty", dag.ReasonTransaction, dag.Body{Transactions: [][]byte{{}}})
	add("write of no kind", dag.ReasonTransaction, dag.Body{Transactions: [][]byte{
		dag.Transaction{{Kind: 5, Key: []byte("k")}}.Append(nil)}})
	add("empty key", dag.ReasonTransaction, dag.Body{Transactions: [][]byte{put("")}})
	add("empty range", dag.ReasonTransaction, dag.Body{Transactions: [][]byte{
		dag.Transaction{dagtest.DeleteRange("k", "k")}.Append(nil)}})
	add("key of 1 MiB and 1", dag.ReasonLimit, dag.Body{Transactions: [][]byte{put(strings.Repeat("k", dag.MaxKey+1))}})
	add("4097 transactions", dag.ReasonLimit, dag.Body{Transactions: slices.Repeat(one.Transactions, dag.MaxTransactions+1)})
	large := dag.Transaction(slices.Repeat([]dag.Write{dagtest.Delete("k")}, dag.MaxTransactionWrites))
	add("65537 writes in a transaction", dag.ReasonLimit,
		dag.Body{Transactions: [][]byte{append(large, large[0]).Append(nil)}})
	encoded := large.Append(nil)
	add("131073 writes", dag.ReasonLimit, dag.Body{Transactions: [][]byte{encoded, encoded, put("k")}})
	add("65 statements", dag.ReasonLimit, dag.Body{Statements: slices.Repeat(one.Transactions, dag.MaxStatements+1)})
	add("statement of 16 KiB and 1", dag.ReasonLimit, dag.Body{Statements: [][]byte{make([]byte, dag.MaxStatement+1)}})
	add("65 schemas", dag.ReasonLimit, dag.Body{Schemas: slices.Repeat(one.Transactions, dag.MaxSchemas+1)})
	add("schema of 1 MiB and 1", dag.ReasonLimit, dag.Body{Schemas: [][]byte{make([]byte, dag.MaxSchema+1)}})
	add("statement that does not parse", dag.ReasonStatement, dag.Body{Statements: one.Transactions})
}

func (r *refuser) founding() {
	m := r.m
	statements := m.Founding.Statements()
	mesh := m.Founding.ID()
	unfounded := func(d dagtest.Draft) *dag.Signed {
		edit := d.Edit
		d.Edit = func(h *dag.Header) {
			h.Mesh = nil
			if edit != nil {
				edit(h)
			}
		}
		return m.Sign(d)
	}
	first := dagtest.Draft{Statements: statements, First: true}
	with := func(f func(*dag.Header)) *dag.Signed {
		d := first
		d.Edit = f
		return unfounded(d)
	}
	r.signed("founding op with a parent", dag.ReasonFounding, with(func(h *dag.Header) { h.Parents = []dag.ID{mesh} }))
	r.signed("founding op with prev", dag.ReasonFounding, with(func(h *dag.Header) { h.Prev, h.Seq = &mesh, 2 }))
	r.signed("founding op of depth 2", dag.ReasonFounding, with(func(h *dag.Header) { h.Depth = 2 }))
	r.signed("founding op with an epoch", dag.ReasonFounding, with(func(h *dag.Header) { h.Epoch = 1 }))
	r.signed("founding op without statements", dag.ReasonFounding, unfounded(dagtest.Draft{First: true}))
	stranger := first
	stranger.Key = m.Key("stranger")
	foreign := unfounded(stranger)
	r.bytes("founding op by a node it does not enrol", dag.ReasonFounder, foreign.Block(), foreign.Body())
	r.signed("second founding op", dag.ReasonMesh, with(func(h *dag.Header) { h.Wall++ }))
	r.signed("op of another mesh", dag.ReasonMesh, m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{mesh},
		Edit: func(h *dag.Header) { h.Mesh = &dag.ID{1} }}))
}

func (r *refuser) places() {
	c := r.m.Draw(`
		G -> b1 -> b2 -> c1 -> b3
		     |  -> c1'
		G -> d1
	`)
	all := func(names ...string) (past []*dag.Signed) {
		for _, name := range names {
			past = append(past, c.Signed(name))
		}
		return past
	}
	ids := func(names ...string) (ids []dag.ID) {
		for _, s := range all(names...) {
			ids = append(ids, s.ID())
		}
		return ids
	}
	sign := func(author int, parents []dag.ID, f func(*dag.Header)) *dag.Signed {
		return r.m.Sign(dagtest.Draft{Author: author, Parents: parents, Edit: f})
	}
	b1 := c.ID("b1")
	r.signed("no parents", dag.ReasonNoParents, r.m.Sign(dagtest.Draft{Author: 1}))
	r.signed("parent in the past of another", dag.ReasonAntichain, sign(3, ids("b1", "b2"), nil), all("b1", "b2")...)
	r.signed("parent far in the past of another", dag.ReasonAntichain, sign(3, ids("G", "b2"), nil), all("b1", "b2")...)
	r.signed("prev beside the past", dag.ReasonPrevPast, sign(1, ids("d1"), func(h *dag.Header) { h.Prev, h.Seq = &b1, 2 }), all("b1", "d1")...)
	r.signed("prev unknown", dag.ReasonPrevPast, sign(1, ids("d1"), func(h *dag.Header) { h.Prev, h.Seq = &dag.ID{1}, 2 }), all("d1")...)
	r.signed("prev of another author", dag.ReasonPrevAuthor, sign(2, ids("b1"), func(h *dag.Header) { h.Prev, h.Seq = &b1, 2 }), all("b1")...)
	r.signed("seq skips one", dag.ReasonSeq, sign(1, ids("b2"), func(h *dag.Header) { h.Seq++ }), all("b1", "b2")...)
	r.signed("seq repeats", dag.ReasonSeq, sign(1, ids("b2"), func(h *dag.Header) { h.Seq-- }), all("b1", "b2")...)
	r.signed("own op in the past without prev", dag.ReasonForkedPast,
		r.m.Sign(dagtest.Draft{Author: 1, Parents: ids("b1"), First: true}), all("b1")...)
	r.signed("own later op in the past", dag.ReasonForkedPast,
		r.m.Sign(dagtest.Draft{Author: 1, Parents: ids("c1"), Prev: &b1}), all("b1", "b2", "c1")...)
	r.signed("prev skips one's own op", dag.ReasonForkedPast,
		r.m.Sign(dagtest.Draft{Author: 1, Parents: ids("b2"), Prev: &b1}), all("b1", "b2")...)
	r.signed("a forker builds on who saw both branches", dag.ReasonForkedPast,
		r.m.Sign(dagtest.Draft{Author: 2, Parents: ids("c1", "c1'")}), all("b1", "b2", "c1", "c1'")...)
}

func (r *refuser) totals() {
	c := r.m.Draw("G -> b1{+epoch /k=1}")
	b1 := []*dag.Signed{c.Signed("b1")}
	sign := func(epoch uint64, f func(*dag.Header)) *dag.Signed {
		return r.m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{c.ID("b1")}, Epoch: epoch, Edit: f,
			Transactions: []dag.Transaction{{dagtest.Put("/k", "2")}}})
	}
	r.signed("depth too great", dag.ReasonDepth, sign(0, func(h *dag.Header) { h.Depth++ }), b1...)
	r.signed("depth too small", dag.ReasonDepth, sign(0, func(h *dag.Header) { h.Depth-- }), b1...)
	r.signed("epoch claimed again", dag.ReasonEpoch, sign(1, nil), b1...)
	r.signed("epoch beyond the greatest", dag.ReasonEpoch, sign(dag.MaxEpoch+1, nil), b1...)
	far := r.m.Draw("G -> b1{+epoch=9} -> b2{+epoch} -> c1 -> d1{+epoch=9}")
	r.signed("epoch claimed far back by another author", dag.ReasonEpoch, far.Signed("d1"), far.Signed("b1"), far.Signed("b2"), far.Signed("c1"))
	// Of two that claim it beside each other, the past has the later one alone.
	beside := r.m.Draw("G -> b1{+epoch=9}\nG -> c1{+epoch=9} -> d1{+epoch=9}")
	r.signed("epoch claimed by one of two in the past", dag.ReasonEpoch, beside.Signed("d1"), beside.Signed("b1"), beside.Signed("c1"))
	r.signed("bytes too few", dag.ReasonBytes, sign(0, func(h *dag.Header) { h.Bytes-- }), b1...)
	r.signed("bytes not a total", dag.ReasonBytes, sign(0, func(h *dag.Header) { h.Bytes -= b1[0].Header().Bytes }), b1...)
	r.signed("writes too many", dag.ReasonWrites, sign(0, func(h *dag.Header) { h.Writes++ }), b1...)
}

func (r *refuser) grants() {
	const reader, writer = 4, 5
	g := []dag.ID{r.m.Founding.ID()}
	sign := func(author int, writes ...dag.Write) *dag.Signed {
		return r.m.Sign(dagtest.Draft{Author: author, Parents: g, Transactions: []dag.Transaction{writes}})
	}
	r.signed("a stranger", dag.ReasonNotEnrolled, r.m.Sign(dagtest.Draft{Key: r.m.Key("stranger"), Parents: g}))
	r.signed("a reader writes", dag.ReasonReader, sign(reader, dagtest.Put("/a/k", "v")))
	r.signed("a reader deletes a range", dag.ReasonReader, sign(reader, dagtest.DeleteRange("/a/", "/a0")))
	r.signed("a put outside the grant", dag.ReasonGrant, sign(writer, dagtest.Put("/a/k", "v"), dagtest.Put("/c", "v")))
	r.signed("a delete outside the grant", dag.ReasonGrant, sign(writer, dagtest.Delete("/b/x/y")))
	r.signed("a range outside the grant", dag.ReasonGrant, sign(writer, dagtest.DeleteRange("/a/", "/b")))
	r.signed("a range over keys that no pattern ends", dag.ReasonGrant, sign(writer, dagtest.DeleteRange("/b/x/c", "/b/x/d")))
}

func (r *refuser) schemas() {
	schema := []byte("a schema")
	id := dag.SchemaIDOf(schema)
	put := []dag.Transaction{{dagtest.Put("/j", "v")}, {dagtest.PutUnder(id, "/k", "v")}}
	g := []dag.ID{r.m.Founding.ID()}
	carrier := r.m.Sign(dagtest.Draft{Author: 1, Parents: g, Schemas: [][]byte{schema}})
	r.signed("schema carried by no op", dag.ReasonSchema, r.m.Sign(dagtest.Draft{Author: 2, Parents: g, Transactions: put}))
	r.signed("schema carried beside the past", dag.ReasonSchema, r.m.Sign(dagtest.Draft{Author: 2, Parents: g, Transactions: put}), carrier)
	r.signed("one of two schemas carried", dag.ReasonSchema, r.m.Sign(dagtest.Draft{Author: 2, Parents: g, Schemas: [][]byte{schema},
		Transactions: append(slices.Clone(put), dag.Transaction{dagtest.PutUnder(dag.SchemaIDOf(nil), "/k", "v")})}))
	wrong := slices.Clone(schema)
	wrong[0]++
	r.signed("another schema carried", dag.ReasonSchema, r.m.Sign(dagtest.Draft{Author: 2, Parents: g, Schemas: [][]byte{wrong}, Transactions: put}))
}

// rosters adds cases that are drawn: the last op is refused, the others are its past.
func (r *refuser) rosters() {
	add := func(name string, reason dag.Reason, text string) {
		c := r.m.Draw(text)
		var past []*dag.Signed
		last := len(c.Names) - 1
		for _, name := range c.Names[:last] {
			past = append(past, c.Signed(name))
		}
		r.signed(name, reason, c.Signed(c.Names[last]), past...)
	}
	member := `
		Bob = admit writer /b/** nodes=2
		x = enrol Bob slot=0 rotations=2
		G -> a1{!Bob !x} -> x1{/b/k=1}
	`
	add("an operator revoked", dag.ReasonRevoked, member+`
		R = revoke Bob keep=x1
		x1 -> a2{!R} -> x2{}
	`)
	add("a node revoked", dag.ReasonRevoked, member+`
		R = revoke x keep=x1 by=Bob
		x1 -> a2{!R} -> x2{}
	`)
	add("a key revoked", dag.ReasonRevoked, member+`
		y = rotate x index=1
		x1 -> x2{!y} -> y1{}
		R = revoke x key=x keep=y1
		y1 -> a2{!R} -> x3{}
	`)
	add("narrowed", dag.ReasonGrant, member+`
		N = narrow Bob writer /b/c/** keep=x1
		x1 -> a2{!N} -> x2{/b/c/k=1 /b/k=2}
	`)
	add("narrowed to a reader", dag.ReasonReader, member+`
		N = narrow Bob reader /b/** keep=x1
		x1 -> a2{!N} -> x2{/b/k=2}
	`)
	add("a local key", dag.ReasonPolicy, member+`
		P = policy /b/here/**=local keep=x1
		x1 -> a2{!P} -> x2{/b/k=2 /b/here/k=2}
	`)
	add("another's key", dag.ReasonPolicy, member+`
		P = policy /b/home/**=owned:Home keep=x1
		x1 -> a2{!P} -> x2{-/b/home/k}
	`)
	add("writes beyond the quota", dag.ReasonQuota, member+`
		Q = quota x writes=2 by=Bob
		x1 -> a2{!Q} -> x2{/b/k=2} -> x3{/b/k=3}
	`)
	add("bytes beyond the quota of a sponsor", dag.ReasonQuota, `
		Ann = admit admin /b/** nodes=1
		Bob = admit writer /b/** nodes=2 by=Ann
		x = enrol Bob
		Q = quota Ann bytes=30
		G -> a1{!Ann !Bob !x !Q} -> x1{/b/k=1} -> x2{/b/k=2}
	`)
	add("beyond the quota with the totals of the key before", dag.ReasonQuota, member+`
		Q = quota Bob writes=1
		y = rotate x index=1
		x1 -> a2{!Q} -> x2{!y} -> y1{/b/k=2}
	`)
	add("of version 1 where 2 is in force", dag.ReasonNotVersion, `
		V = version 2
		G -> a1{!V} -> b1{}
	`)
	add("a rotated key without prev", dag.ReasonPrevAuthor, member+`
		y = rotate x index=1
		x1 -> x2{!y} -> y1{^}
	`)
	add("a rotated key after an op that does not carry the rotation", dag.ReasonPrevAuthor, member+`
		y = rotate x index=1
		x1 -> x2{!y} -> x3{} -> y1{^x3}
	`)
	add("a rotated key after the second op that carries the rotation", dag.ReasonPrevAuthor, member+`
		y = rotate x index=1
		x1 -> x2{!y} -> x3{!y} -> y1{^x3}
	`)
	add("a rotated key after another's op that carries the rotation", dag.ReasonPrevAuthor, member+`
		y = rotate x index=1
		x1 -> x2{!y} -> a2{!y} -> y1{^a2}
	`)
	add("a rotation beyond the allowance", dag.ReasonPrevAuthor, member+`
		y = rotate x index=3
		x1 -> x2{!y} -> y1{}
	`)
	add("a rotated key of which an op is in the past goes on from the rotation", dag.ReasonForkedPast, member+`
		y = rotate x index=1
		x1 -> x2{!y} -> y1{} -> y2{^x2}
	`)
	add("another key of the same index in the past", dag.ReasonForkedPast, member+`
		y = rotate x index=1
		z = rotate x index=1
		x1 -> x2{!y} -> y1{}
		x1 -> x2'{!z} -> z1{}
		y1, z1 -> y2{}
	`)
	add("another node of the same slot in the past", dag.ReasonForkedPast, member+`
		y = enrol Bob slot=0
		x1 -> a2{!y} -> y1{}
	`)
}

// judge takes an op through all checks, into a graph that holds past.
func judge(tb testing.TB, past []*dag.Signed, block, body []byte) error {
	tb.Helper()
	g := dag.NewGraph()
	for _, s := range past {
		if _, _, err := g.Add(s); err != nil {
			tb.Fatalf("add the past: %v", err)
		}
	}
	u, err := dag.Decode(block, body)
	if err != nil {
		return err
	}
	signed, errs := dag.Verify([]*dag.Unverified{u})
	if errs[0] != nil {
		return errs[0]
	}
	before := g.Len()
	_, _, err = g.Add(signed[0])
	if err != nil && g.Len() != before {
		tb.Errorf("the graph changed with error %v", err)
	}
	return err
}

func TestRefusals(t *testing.T) {
	covered := make(map[dag.Reason]bool)
	for _, c := range refusals(t) {
		covered[c.reason] = true
		t.Run(c.name, func(t *testing.T) {
			err := judge(t, c.past, c.block, c.body)
			var refusal *dag.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("got %v, want a refusal", err)
			}
			if refusal.Reason != c.reason {
				t.Errorf("got %v, want %v", err, c.reason)
			}
			if u, err := dag.Decode(c.block, c.body); err == nil && refusal.ID != u.ID() {
				t.Errorf("refusal names %v, want %v", refusal.ID, u.ID())
			}
		})
	}
	for r := range dag.Reason(255) {
		if !strings.HasPrefix(r.String(), "reason-") && !covered[r] {
			t.Errorf("no case for %v", r)
		}
	}
}

func TestReasonClass(t *testing.T) {
	for reason, want := range map[dag.Reason]dag.Class{
		dag.ReasonMalformed: dag.ClassMalformed,
		dag.ReasonRoots:     dag.ClassMalformed,
		dag.ReasonLimit:     dag.ClassLimit,
		dag.ReasonSignature: dag.ClassForged,
		dag.ReasonDepth:     dag.ClassInvalid,
		dag.ReasonFounding:  dag.ClassInvalid,
		dag.ReasonFounder:   dag.ClassUnauthorised,
		dag.ReasonGrant:     dag.ClassUnauthorised,
	} {
		if got := reason.Class(); got != want {
			t.Errorf("%v.Class() = %v, want %v", reason, got, want)
		}
	}
}

func TestAddErrors(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw("G -> b1 -> c1")
	_, _, err := m.Graph.Add(c.Signed("c1"))
	var missing *dag.MissingError
	if !errors.As(err, &missing) || !slices.Equal(missing.IDs, []dag.ID{c.ID("b1")}) {
		t.Errorf("Add without the parent = %v, want b1 missing", err)
	}
	c.Add()
	if _, _, err := m.Graph.Add(c.Signed("c1")); !errors.Is(err, dag.ErrDuplicate) {
		t.Errorf("Add again = %v, want ErrDuplicate", err)
	}
	other := dagtest.NewMesh(t, dagtest.Config{Name: "other", Authors: 1})
	if _, _, err := dag.NewGraphOf(m.Founding.ID()).Add(other.Founding); dag.ReasonOf(err) != dag.ReasonMesh {
		t.Errorf("founding op of another mesh: %v, want %v", err, dag.ReasonMesh)
	}
	if _, _, err := dag.NewGraphOf(m.Founding.ID()).Add(m.Founding); err != nil {
		t.Errorf("founding op of the expected mesh: %v", err)
	}
}

// TestForkerBuildsOnOneBranch: whoever saw one branch only is still a good parent.
func TestForkerBuildsOnOneBranch(t *testing.T) {
	m := dagtest.New(t, 4)
	m.Draw(`
		G -> b1 -> b2 -> c1 -> b3
		     |  -> b2' -> d1 -> b3'
	`).Add()
	if !m.Graph.Forked(m.Author(1)) || m.Graph.Forked(m.Author(2)) {
		t.Error("b and only b has forked")
	}
	if n := len(m.Graph.Tips(m.Author(1))); n != 2 {
		t.Errorf("b has %d tips, want 2", n)
	}
}

// TestGrantsOfThePast: an op is judged by its past, not by what the graph knows.
func TestGrantsOfThePast(t *testing.T) {
	m := dagtest.New(t, 1)
	node := m.Key("late")
	mesh := [32]byte(m.Founding.ID())
	admit := m.State(m.OperatorKey(), &mesh, identity.Admit{Name: "late", Keys: []identity.PublicKey{m.Key("late op").Public()},
		Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"/late/**"}, Nodes: 1}})
	enrol := m.StateAs(admit.ID(), m.Key("late op"), &mesh, identity.Enrol{Node: node.Public(),
		Consent: identity.SignConsent(mesh, admit.ID(), 0, node)})
	g := m.Founding.ID()
	carrier := m.Sign(dagtest.Draft{Parents: []dag.ID{g}, Statements: []*identity.Statement{admit, enrol}})
	early := m.Sign(dagtest.Draft{Key: node, Parents: []dag.ID{g}})
	late := m.Sign(dagtest.Draft{Key: node, Parents: []dag.ID{carrier.ID()}, Transactions: []dag.Transaction{{dagtest.Put("/late/k", "v")}}})
	own := m.Sign(dagtest.Draft{Key: node, Parents: []dag.ID{g}, Statements: []*identity.Statement{admit, enrol}})

	m.Add(carrier)
	for name, s := range map[string]*dag.Signed{"before": early, "with its own statements": own} {
		if _, _, err := m.Graph.Add(s); dag.ReasonOf(err) != dag.ReasonNotEnrolled {
			t.Errorf("op %s its enrolment: %v, want %v", name, err, dag.ReasonNotEnrolled)
		}
	}
	o := m.Add(late)
	if _, ok := m.Graph.OpRoster(o).Author(node.Public()); !ok {
		t.Error("the roster of the op lacks its author")
	}
	if _, ok := m.Graph.OpRoster(m.Graph.Founding()).Author(node.Public()); ok {
		t.Error("the founding op's roster has a later author")
	}
}
