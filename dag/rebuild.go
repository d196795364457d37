package dag

import "github.com/causeway-sync/causeway/identity"

// Rebuild is [Decode] for an op whose body its author's own log keeps in parts:
// the parsed transactions, the encoded statements and the schemas. It keeps them: they must
// not change afterwards. Of the block it keeps nothing that outlives the result.
//
// It does not look at what only the body's bytes tell: whether the parts are
// the body that the header states. [Unverified.CheckBody] does, which costs
// most of the time; until it has returned nil, nothing made of the result may be shown.
// The result has no [Unverified.Body]. A returned error is a *[Refusal].
func Rebuild(block []byte, transactions []Transaction, statements, schemas [][]byte) (*Unverified, error) {
	u := &Unverified{id: blockID(block), block: block, transactions: transactions, schemas: schemas}
	refusal := u.decodeBlock()
	if refusal == nil && u.header.Size > MaxBody {
		refusal = refusef(ReasonLimit, "body of %d bytes: %w", u.header.Size, ErrLimit)
	}
	if refusal == nil {
		for _, t := range transactions {
			u.writes += len(t)
		}
		refusal = u.decodeStatements(statements)
	}
	if refusal != nil {
		refusal.ID = u.id
		return nil, refusal
	}
	return u, nil
}

// CheckBody encodes the parts of an op made by [Rebuild]
// and compares the result with what the header states. A returned error is a
// *[Refusal]. It changes nothing: any goroutine may call it.
func (u *Unverified) CheckBody() error {
	b := Body{Schemas: u.schemas}
	if n := len(u.transactions); n > 0 {
		b.Transactions = make([][]byte, n)
	}
	// One buffer for all items: its end is where the next begins.
	buf := make([]byte, 0, u.header.Size)
	for i, t := range u.transactions {
		start := len(buf)
		buf = t.Append(buf)
		b.Transactions[i] = buf[start:len(buf):len(buf)]
	}
	for _, s := range u.statements {
		b.Statements = append(b.Statements, s.Encoded())
	}
	refusal := u.checkSize(b.size())
	if refusal == nil {
		refusal = u.checkRoots(b)
	}
	if refusal != nil {
		refusal.ID = u.id
		return refusal
	}
	return nil
}

// checkSize compares the length of the body container with the header's.
func (u *Unverified) checkSize(n int) *Refusal {
	if uint64(n) != u.header.Size {
		return refusef(ReasonBodySize, "%d bytes, header says %d", n, u.header.Size)
	}
	return nil
}

// checkRoots compares the Merkle roots of the body with the header's.
func (u *Unverified) checkRoots(b Body) *Refusal {
	transactions, statements, schemas := b.Roots()
	if !sameHash(transactions, u.header.Transactions) {
		return refusef(ReasonRoots, "transactions")
	}
	if !sameHash(statements, u.header.Statements) {
		return refusef(ReasonRoots, "statements")
	}
	if !sameHash(schemas, u.header.Schemas) {
		return refusef(ReasonRoots, "schemas")
	}
	return nil
}

// decodeStatements parses the statements of the body.
func (u *Unverified) decodeStatements(encoded [][]byte) *Refusal {
	if len(encoded) == 0 {
		return nil
	}
	u.statements = make([]*identity.Statement, len(encoded))
	for i, b := range encoded {
		var err error
		if u.statements[i], err = identity.DecodeStatement(b); err != nil {
			return refusef(ReasonStatement, "statement %d: %w", i, err)
		}
	}
	return nil
}
