package admin

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// MarkVoid fills in how many transactions of each op do not count, by the
// roster of g, which must hold the ops; fetch returns an op's block and body.
func MarkVoid(ops []Op, g *dag.Graph, fetch func(dag.ID) (block, body []byte, err error)) error {
	roster := g.Roster()
	for i := range ops {
		if ops[i].BodyBytes == 0 {
			continue
		}
		op, ok := g.Get(ops[i].ID)
		if !ok {
			return fmt.Errorf("op %s: %w", ops[i].ID, ErrNotFound)
		}
		_, body, err := fetch(op.ID())
		if err != nil {
			return err
		}
		parts, err := dag.DecodeBody(body)
		if err != nil {
			return err
		}
		judge := dag.Judge(roster, op)
		for _, b := range parts.Transactions {
			t, err := dag.DecodeTransaction(b)
			if err != nil {
				return err
			}
			if judge.Void(t) != nil {
				ops[i].Void++
			}
		}
	}
	return nil
}
