package p2p

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// joinVersion is the version of the join protocol's messages.
const joinVersion = 0

// maxStatement bounds a statement, in bytes (docs/op.md section 4).
const maxStatement = 16 << 10

// joinRequest is what a joiner sends: statements as they are encoded.
type joinRequest struct {
	mesh                  dag.ID
	invite, redeem, enrol []byte
}

func (r *joinRequest) encode() []byte {
	b := dagcbor.AppendArray(nil, 5)
	b = dagcbor.AppendUint(b, joinVersion)
	b = dagcbor.AppendLink(b, r.mesh)
	b = dagcbor.AppendBytes(b, r.invite)
	b = dagcbor.AppendBytes(b, r.redeem)
	return dagcbor.AppendBytes(b, r.enrol)
}

func decodeJoinRequest(p []byte) (*joinRequest, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(5)
	if v := d.Uint(); d.Err() == nil && v != joinVersion {
		return nil, fmt.Errorf("%w: join version %d", ErrMalformed, v)
	}
	r := &joinRequest{mesh: d.Link()}
	r.invite = d.Bytes(maxStatement)
	r.redeem = d.Bytes(maxStatement)
	r.enrol = d.Bytes(maxStatement)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: join request: %v", ErrMalformed, err)
	}
	return r, nil
}

// joinCode is the inviter's answer, in one number.
type joinCode uint64

const (
	joinDone joinCode = iota
	joinExpired
	joinUsed
	joinHost
	joinMesh
	joinBusy
	joinRefused
	joinInternal
	joinCodes // how many there are
)

var joinErrors = [joinCodes]error{
	joinExpired: ErrTicketExpired, joinUsed: ErrTicketUsed, joinHost: ErrTicketHost, joinMesh: ErrMesh,
	joinBusy: ErrBusy, joinRefused: ErrRefused, joinInternal: ErrInternal,
}

var joinNames = [joinCodes]string{"done", "expired", "used", "host", "mesh", "busy", "refused", "internal"}

// joinAnswer is the inviter's answer; block and body are of the op that
// carries the statements, if code is joinDone.
type joinAnswer struct {
	code        joinCode
	block, body []byte
}

func (a *joinAnswer) encode() []byte {
	b := dagcbor.AppendArray(nil, 4)
	b = dagcbor.AppendUint(b, joinVersion)
	b = dagcbor.AppendUint(b, uint64(a.code))
	b = dagcbor.AppendBytes(b, a.block)
	return dagcbor.AppendBytes(b, a.body)
}

func decodeJoinAnswer(p []byte) (*joinAnswer, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(4)
	if v := d.Uint(); d.Err() == nil && v != joinVersion {
		return nil, fmt.Errorf("%w: join version %d", ErrMalformed, v)
	}
	a := &joinAnswer{code: joinCode(d.Uint())}
	a.block = d.Bytes(maxJoinFrame)
	a.body = d.Bytes(maxJoinFrame)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: join answer: %v", ErrMalformed, err)
	}
	if a.code >= joinCodes {
		return nil, fmt.Errorf("%w: join answer %d", ErrMalformed, a.code)
	}
	return a, nil
}
