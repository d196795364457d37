package verify

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/commit"
)

// batchOps is how many signatures are checked at once.
const batchOps = 256

// everyRecords is how many records or operations lie between two reports of progress.
const everyRecords = 256

// records reads every record in order, and checks the operations in them by
// themselves: their form, ID and signature. It goes on unless the store itself
// is damaged.
func (c *check) records() (goOn bool, err error) {
	r := recordReader{check: c}
	err = c.store.Scan(1, r.record)
	if err == nil {
		err = r.verify()
	}
	if errors.Is(err, dag.ErrCorrupt) {
		// What was read before it counts.
		if verr := r.verify(); verr != nil {
			return false, verr
		}
		return false, c.damage(StepRecords, err)
	}
	return true, err
}

// recordReader reads the log. It gathers operations for a batch.
type recordReader struct {
	*check
	at  []dag.Index
	ops []*dag.Unverified
}

func (r *recordReader) record(at dag.Index, rec dag.Record) error {
	if at%everyRecords == 0 {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.progress(StepRecords, uint64(at), r.report.Records)
	}
	where := fmt.Sprintf("record %d", at)
	block, _, err := commit.RecordOp(rec)
	if err != nil {
		return r.found(StepRecords, where, err.Error())
	}
	if block == nil {
		return nil
	}
	r.report.Operations++
	u, err := dag.Rebuild(bytes.Clone(block), nil, nil, nil) // the block alone; the body comes later
	if err != nil {
		return r.found(StepRecords, where, err.Error())
	}
	if len(rec.Ops) != 1 || rec.Ops[0] != u.ID() {
		return r.found(StepRecords, where, fmt.Sprintf("it holds operation %s and names %v", u.ID(), rec.Ops))
	}
	if at == 1 {
		mesh := u.ID()
		r.report.Mesh = &mesh
	}
	r.at, r.ops = append(r.at, at), append(r.ops, u)
	if len(r.ops) < batchOps {
		return nil
	}
	return r.verify()
}

// verify checks the signatures gathered so far.
func (r *recordReader) verify() error {
	_, errs := dag.Verify(r.ops)
	for i, err := range errs {
		if err == nil {
			continue
		}
		what := fmt.Sprintf("the signature of operation %s is not its author's", r.ops[i].ID())
		if err := r.found(StepRecords, fmt.Sprintf("record %d", r.at[i]), what); err != nil {
			return err
		}
	}
	r.at, r.ops = r.at[:0], r.ops[:0]
	return nil
}

// index checks the index and the named values.
func (c *check) index() error {
	if err := c.store.Check(); err != nil {
		return c.damage(StepIndex, err)
	}
	return nil
}
