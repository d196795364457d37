package commit

import (
	"fmt"
	"time"

	"github.com/causeway-sync/causeway/dag"
)

// seal makes own ops of everything unsealed and makes them durable.
func (p *Pipeline) seal() {
	if p.stageSeals() {
		p.flush()
	}
}

// stageSeals turns everything unsealed into own ops, adds them to the graph,
// and stages the records that make them durable. The caller flushes those
// before anything is answered; until then Fetch withholds the ops. It reports
// whether it could: otherwise the pipeline has failed.
func (p *Pipeline) stageSeals() bool {
	if len(p.unsealed) > 0 {
		p.lastSeal = time.Now()
	}
	for len(p.unsealed) > 0 {
		var body dag.Body
		first, at := p.unsealed[0].change.Number, p.unsealed[0].at
		size, writes := 0, 0
		for _, u := range p.unsealed {
			t := p.view.Transaction(u.change, first)
			item := t.Append(nil)
			schemas, schemaBytes := p.uncarried(u.change.Schemas)
			full := size+len(item)+schemaBytes > sealBytes || len(body.Schemas)+len(schemas) > dag.MaxSchemas
			if len(body.Transactions) > 0 && (full || len(body.Transactions) == dag.MaxTransactions) {
				break
			}
			if full && len(schemas) > 0 { // they may leave no room for the transaction
				if !p.carrySchemas(schemas) {
					return false
				}
				schemas, schemaBytes = nil, 0
			}
			body.Schemas = append(body.Schemas, schemas...)
			size += len(item) + schemaBytes
			writes += len(t)
			body.Transactions = append(body.Transactions, item)
		}
		n := len(body.Transactions)
		if !p.own(body, writes, 0, sealRecord{first: first, count: uint64(n), at: at}) {
			return false
		}
		for _, u := range p.unsealed[:n] {
			p.pending -= u.change.Size()
		}
		p.unsealed = p.unsealed[n:]
	}
	p.unsealed = nil // frees the backing array
	p.owed = owed{}
	return true
}

// uncarried returns those of merge schemas that no op carries yet, and their size in bytes.
func (p *Pipeline) uncarried(schemas [][]byte) (fresh [][]byte, size int) {
	for _, s := range schemas {
		if _, carried := p.graph.Schema(dag.SchemaIDOf(s)); !carried {
			fresh = append(fresh, s)
			size += len(s)
		}
	}
	return fresh, size
}

// carrySchemas makes own ops that carry merge schemas and nothing else. It
// reports whether it could, as stageSeals.
func (p *Pipeline) carrySchemas(schemas [][]byte) bool {
	for len(schemas) > 0 {
		n, size := 0, 0
		for n < min(len(schemas), dag.MaxSchemas) && (n == 0 || size+len(schemas[n]) <= dag.MaxSchema) {
			size += len(schemas[n])
			n++
		}
		if !p.own(dag.Body{Schemas: schemas[:n]}, 0, 0, sealRecord{}) {
			return false
		}
		schemas = schemas[n:]
	}
	return true
}

// own signs the next own op on all heads and stages it. A refusal by our own
// graph means that the node may not write what it has already answered: it
// stops rather than lose it in silence.
func (p *Pipeline) own(body dag.Body, writes int, epoch uint64, seal sealRecord) bool {
	if err := p.tryOwn(body, writes, epoch, seal); err != nil {
		p.fail(fmt.Errorf("commit: sealing an own op: %w", err))
		return false
	}
	return true
}

// tryOwn is own for an op that may be refused, as one that is over the quota.
// There are as many folds before it as the bound on parents demands.
func (p *Pipeline) tryOwn(body dag.Body, writes int, epoch uint64, seal sealRecord) error {
	size := len(body.Encode())
	for {
		h, whole := p.graph.Draft(p.tip, size, writes)
		if whole {
			h.Epoch = epoch
			return p.sign(h, body, seal)
		}
		fold, _ := p.graph.Draft(p.tip, 0, 0)
		if err := p.sign(fold, dag.Body{}, sealRecord{}); err != nil {
			return err
		}
	}
}

// sign makes one own op, adds it to the graph and stages its record. If the
// graph refuses it, all is as it was.
func (p *Pipeline) sign(h dag.Header, body dag.Body, seal sealRecord) error {
	h.Wall = uint64(p.cfg.Now().UnixMilli())
	signed, err := dag.Sign(h, body, p.key)
	if err != nil {
		return err
	}
	op, _, err := p.graph.Add(signed)
	if err != nil {
		return err
	}
	seal.block, seal.statements, seal.schemas = signed.Block(), body.Statements, body.Schemas
	p.tip = op
	p.ownTip.Store(op)
	if seal.count > 0 {
		p.view.Sealed(seal.first, int(seal.count), op)
	}
	if err := p.turn(op); err != nil {
		p.fail(err)
	}
	p.sealed = append(p.sealed, sealedOp{op, signed.Block(), signed.Body()})
	seal.revision = p.view.Head()
	p.stage(dag.Record{Kind: recordSeal, Payload: seal.append(nil), Ops: []dag.ID{op.ID()}})
	return nil
}

// foldWhenIdle joins the heads with an empty op once more than foldHeads of
// them have stood for a while. Each node waits a different time, derived from
// its key and the heads, so that one fold is usually adopted by all.
func (p *Pipeline) foldWhenIdle() {
	heads := p.graph.Heads()
	if len(heads) <= foldHeads || len(p.unsealed) > 0 || !p.ready.Load() || p.mayAuthor() != nil || p.overQuota() {
		p.foldAt = time.Time{}
		return
	}
	now := time.Now()
	if p.foldAt.IsZero() {
		id := heads[0].ID()
		p.foldAt = now.Add(time.Duration(id[31]^p.self[0]) * 16 * time.Millisecond)
		return
	}
	if now.Before(p.foldAt) {
		return
	}
	p.foldAt = time.Time{}
	if p.own(dag.Body{}, 0, 0, sealRecord{}) {
		p.flush()
	}
}
