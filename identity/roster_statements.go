package identity

// Statements returns the statements that the roster holds, effective or not,
// ascending by ID, in a new slice.
func (r *Roster) Statements() []*Statement {
	list := make([]*Statement, 0, r.Len())
	r.set.statements(func(e *entry) bool {
		list = append(list, e.statement)
		return true
	})
	return list
}

// A Carrier is an operation that carries a statement.
type Carrier struct {
	Op     [32]byte
	Author PublicKey
}

// Carriers returns the operations that first carried the statement, ascending
// by ID: those that no other of them (for a redeem, of the same author) has in its past.
// None if the roster does not hold it. The slice is new.
func (r *Roster) Carriers(id StatementID) []Carrier {
	e := r.set.get(id)
	if e == nil {
		return nil
	}
	var list []Carrier
	e.carriers.each(func(c *carrier) bool {
		list = append(list, Carrier{Op: c.op, Author: c.author})
		return true
	})
	return list
}
