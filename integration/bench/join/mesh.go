package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/commit"
)

const (
	// maxAuthors is how many nodes the founder may enrol beside its own and the fresh one.
	maxAuthors = 32
	// mergeEvery is after how many ops of its own an author builds on another's.
	mergeEvery = 10
	// madeAtOnce is how many ops are admitted at once while the mesh is made.
	madeAtOnce = 4096
)

// A mesh is the data directory of a node that holds the operations.
type mesh struct {
	options
	dir string
}

// An author is the last of a node's operations.
type author struct {
	key   *identity.PrivateKey
	made  bool // it has an op
	id    dag.ID
	seq   uint64
	depth uint64
	bytes uint64
	past  []uint64 // by author, the greatest seq that the op is or has in its past
}

// make founds the mesh and fills it, unless that was done before.
func (m *mesh) make(ctx context.Context, out io.Writer) error {
	done := filepath.Join(m.dir, "made")
	if _, err := os.Stat(done); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(m.dir); err != nil {
		return err
	}
	began := time.Now()
	id, err := node.Init(m.dir, node.InitOptions{})
	if err != nil {
		return err
	}
	if err := m.fill(ctx, id); err != nil {
		return err
	}
	fmt.Fprintf(out, "made a mesh of %d operations of %d authors in %v: %s\n", m.ops, m.authors, time.Since(began).Round(time.Second), m.dir)
	return os.WriteFile(done, nil, 0o600)
}

// fill enrols the authors and has them write.
func (m *mesh) fill(ctx context.Context, id dag.ID) (err error) {
	store, err := leveldb.Open(filepath.Join(m.dir, "store"), leveldb.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	own, err := identity.ReadKeyFile(filepath.Join(m.dir, node.NodeKeyFile), nil)
	if err != nil {
		return err
	}
	p, err := commit.Open(commit.Config{Store: store, Key: own, Mesh: id})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	authors, err := m.enrol(ctx, p, id)
	if err != nil {
		return err
	}
	heads := p.Graph().Heads()
	base := heads[0] // the only one: it enrols them
	for i := range authors {
		authors[i].id, authors[i].depth, authors[i].past = base.ID(), base.Depth(), make([]uint64, len(authors))
	}
	var batch []*dag.Signed
	for i := p.Graph().Len(); i < m.ops; i++ {
		s, err := m.write(id, authors, i)
		if err != nil {
			return err
		}
		if batch = append(batch, s); len(batch) == madeAtOnce || i == m.ops-1 {
			for _, err := range p.Admit(ctx, batch) {
				if err != nil {
					return err
				}
			}
			batch = batch[:0]
		}
	}
	return nil
}

// enrol makes the authors nodes of the mesh.
func (m *mesh) enrol(ctx context.Context, p *commit.Pipeline, id dag.ID) ([]author, error) {
	operator, err := identity.ReadKeyFile(filepath.Join(m.dir, node.OperatorKeyFile), nil)
	if err != nil {
		return nil, err
	}
	roster := p.Graph().Roster()
	as := roster.Operators()[0].ID
	seq, prev := roster.Next(operator.Public())
	authors := make([]author, m.authors)
	var statements [][]byte
	for i := range authors {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
		authors[i].key = identity.NewKeyFromSeed(seed)
		slot := uint64(i) + 1
		where := [32]byte(id)
		s, err := identity.SignStatement(identity.Statement{
			Mesh: &where, Issuer: operator.Public(), As: &as, Seq: seq, Prev: prev,
			Content: identity.Enrol{Slot: slot, Node: authors[i].key.Public(), Consent: identity.SignConsent(where, as, slot, authors[i].key)},
		}, operator)
		if err != nil {
			return nil, err
		}
		next := s.ID()
		seq, prev = seq+1, &next
		statements = append(statements, s.Encoded())
	}
	for some := range slices.Chunk(statements, dag.MaxStatements) {
		if _, err := p.Carry(ctx, some); err != nil {
			return nil, err
		}
	}
	return authors, nil
}

// write makes op i of the mesh: the authors take turns, and build on each
// other's ops now and then.
func (m *mesh) write(id dag.ID, authors []author, i int) (*dag.Signed, error) {
	at, round := i%len(authors), i/len(authors)
	a := &authors[at]
	value := make([]byte, m.value)
	if len(value) >= 8 {
		binary.LittleEndian.PutUint64(value, uint64(i)*0x9e3779b97f4a7c15)
	}
	t := dag.Transaction{{Kind: dag.Replace, Key: fmt.Appendf(nil, "/registry/pods/bench/%08d", i*7919%m.keys), Value: value}}
	body := dag.Body{Transactions: [][]byte{t.Append(nil)}}
	size := uint64(len(body.Encode()))
	h := dag.Header{Mesh: &id, Seq: a.seq + 1, Depth: a.depth + 1, Parents: []dag.ID{a.id}, Bytes: a.bytes + size, Writes: a.seq + 1, Wall: uint64(i)}
	if a.made {
		prev := a.id
		h.Prev = &prev
	}
	other := (at + 1 + round/mergeEvery) % len(authors)
	b := &authors[other]
	merges := round%mergeEvery == 0 && a.made && b.made && a.past[other] < b.seq && b.past[at] < a.seq
	if merges {
		h.Parents = append(h.Parents, b.id)
		slices.SortFunc(h.Parents, dag.ID.Compare)
		h.Depth = max(a.depth, b.depth) + 1
	}
	s, err := dag.Sign(h, body, a.key)
	if err != nil {
		return nil, err
	}
	if merges {
		for i, seq := range b.past {
			a.past[i] = max(a.past[i], seq)
		}
	}
	a.past[at] = h.Seq
	a.made, a.id, a.seq, a.depth, a.bytes = true, s.ID(), h.Seq, h.Depth, h.Bytes
	return s, nil
}
