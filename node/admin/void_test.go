package admin_test

import (
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/node/admin"
)

// TestMarkVoid: in meshes whose operators restrict, an op's summary and its detail
// say the same of what does not count.
func TestMarkVoid(t *testing.T) {
	void := 0
	for seed := range uint64(8) {
		w := dagtest.GrowMerging(t, seed, 40)
		g, signed := dag.NewGraph(), make(map[dag.ID]*dag.Signed)
		for _, s := range w.Ops {
			if _, _, err := g.Add(s); err == nil {
				signed[s.ID()] = s
			}
		}
		ops := admin.Latest(g, 1000)
		err := admin.MarkVoid(ops, g, func(id dag.ID) ([]byte, []byte, error) { return signed[id].Block(), signed[id].Body(), nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range ops {
			o, _ := g.Get(op.ID)
			d, err := admin.NewOpDetail(o, g.Roster(), signed[op.ID].Block(), signed[op.ID].Body())
			if err != nil {
				t.Fatal(err)
			}
			reasons := 0
			for _, why := range d.VoidReasons {
				if why != "" {
					reasons++
				}
			}
			if d.Void != op.Void || reasons != op.Void || len(d.VoidReasons) != len(d.Transactions) {
				t.Errorf("op %v: %d void, its detail %d with %d reasons", op.ID, op.Void, d.Void, reasons)
			}
			void += op.Void
		}
	}
	if void == 0 {
		t.Error("no world with a void transaction")
	}
}
