package node

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
)

// authName names the value that leads to the users and roles of the gateway, and
// is the prefix of the names of their parts (docs/node.md, "Users and roles").
const authName = "auth"

// What the value begins with.
const (
	authWhole = 0x00 // the state follows
	authParts = 0x01 // authPointer follows
)

// errAuthParts says that the parts are not what their pointer was written for.
var errAuthParts = errors.New("the parts of the users and roles do not match their checksum")

// metaStore is what authStorage needs of a dag.Store.
type metaStore interface {
	GetMeta(name string) ([]byte, error)
	PutMeta(name string, v []byte) error
}

// authStorage keeps the encoded users and roles in named values of the store:
// one, if they fit, else in parts of one of two generations, which are written
// before the value that names them. It implements auth.Storage.
type authStorage struct{ store metaStore }

// authPointer names the parts of a state.
type authPointer struct {
	generation byte // 0 or 1
	count      uint64
	sum        [sha256.Size]byte // of the state
}

func (p authPointer) append(b []byte) []byte {
	b = append(b, p.generation)
	b = binary.AppendUvarint(b, p.count)
	return append(b, p.sum[:]...)
}

func decodeAuthPointer(b []byte) (authPointer, error) {
	var p authPointer
	if len(b) == 0 || b[0] > 1 {
		return authPointer{}, errAuthParts
	}
	count, n := binary.Uvarint(b[1:])
	if n <= 0 || len(b[1+n:]) != len(p.sum) {
		return authPointer{}, errAuthParts
	}
	p.generation, p.count = b[0], count
	copy(p.sum[:], b[1+n:])
	return p, nil
}

func authPartName(generation byte, i uint64) string {
	return fmt.Sprintf("%s/%d/%d", authName, generation, i)
}

// current returns the value that leads to the state: the state itself, or the
// pointer to its parts. Both are nil if none was saved.
func (s authStorage) current() (whole []byte, parts *authPointer, err error) {
	b, err := s.store.GetMeta(authName)
	switch {
	case errors.Is(err, dag.ErrNotFound):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case len(b) > 0 && b[0] == authWhole:
		return b[1:], nil, nil
	case len(b) > 0 && b[0] == authParts:
		p, err := decodeAuthPointer(b[1:])
		return nil, &p, err
	default:
		return nil, nil, errAuthParts
	}
}

// LoadAuth implements auth.Storage.
func (s authStorage) LoadAuth() ([]byte, error) {
	whole, parts, err := s.current()
	if err != nil || parts == nil {
		return whole, err
	}
	var state []byte
	for i := range parts.count {
		part, err := s.store.GetMeta(authPartName(parts.generation, i))
		if err != nil {
			return nil, err
		}
		state = append(state, part...)
	}
	if sha256.Sum256(state) != parts.sum {
		return nil, errAuthParts
	}
	return state, nil
}

// SaveAuth implements auth.Storage. The value that leads to the state is replaced
// last, and parts that it names are not touched before.
func (s authStorage) SaveAuth(state []byte) error {
	_, old, err := s.current()
	if err != nil {
		return err
	}
	value := append([]byte{authWhole}, state...)
	if len(value) > dag.MaxMetaValue {
		p := authPointer{sum: sha256.Sum256(state)}
		if old != nil {
			p.generation = 1 - old.generation
		}
		for part := range slices.Chunk(state, dag.MaxMetaValue) {
			if err := s.store.PutMeta(authPartName(p.generation, p.count), part); err != nil {
				return err
			}
			p.count++
		}
		value = p.append([]byte{authParts})
	}
	if err := s.store.PutMeta(authName, value); err != nil {
		return err
	}
	if old != nil {
		for i := range old.count {
			// The new state is saved, so a failure only leaves a part behind. It
			// is overwritten by a later state.
			_ = s.store.PutMeta(authPartName(old.generation, i), nil)
		}
	}
	return nil
}
