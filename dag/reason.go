package dag

import (
	"errors"
	"fmt"
	"strings"
)

// Reason names why an op was refused: one for each rule of docs/op.md section
// 3. A refusal is final: no correct node ever accepts the same bytes.
type Reason uint8

// Reasons that need only the op itself, found by [Decode] and [Verify].
const (
	ReasonMalformed   Reason = iota + 1 // the block is not the one encoding of an op
	ReasonVersion                       // a version of the format that this build does not know
	ReasonLimit                         // over one of the bounds in limits.go
	ReasonParentOrder                   // parents not ascending, or one twice
	ReasonSeqPrev                       // seq 1 with prev, a later one without, or seq 0
	ReasonBodySize                      // the body is not of the size the header states
	ReasonBody                          // the body is not the one encoding of a container
	ReasonTransaction                   // a transaction does not parse
	ReasonStatement                     // a statement does not parse
	ReasonRoots                         // the body is not the one whose roots the header states
	ReasonSignature                     // the signature is not the author's
)

// Reasons that look at the op's past, found by [Graph.Add].
const (
	ReasonFounding    Reason = iota + 32 // without a mesh, but not of the form of a founding op
	ReasonFounder                        // the founding op's statements do not enrol its author
	ReasonMesh                           // of another mesh
	ReasonNoParents                      // not the founding op, but without parents
	ReasonAntichain                      // a parent is in the past of another
	ReasonPrevPast                       // prev is not in the past
	ReasonPrevAuthor                     // prev is another key's, and no rotation leads from there
	ReasonSeq                            // seq is not 1 + prev's
	ReasonForkedPast                     // an op of the author's in the past, or of a key at its place, is not on prev's chain
	ReasonDepth                          // depth is not 1 + the greatest of the parents
	ReasonEpoch                          // the epoch is claimed in the past, or beyond MaxEpoch
	ReasonBytes                          // the running total of bytes is wrong
	ReasonWrites                         // the running total of writes is wrong
	ReasonNotEnrolled                    // the past does not enrol the author
	ReasonReader                         // a reader writes
	ReasonGrant                          // a write outside the author's grant
	ReasonRevoked                        // the past revokes the author
	ReasonPolicy                         // a write of a key that is local or owned by another operator
	ReasonQuota                          // the running totals are beyond the author's quota
	ReasonNotVersion                     // of another version than the one in force
	ReasonSchema                         // a replace names a schema that neither the op nor its past carries
)

var reasonNames = map[Reason]string{
	ReasonMalformed:   "malformed",
	ReasonVersion:     "unknown-version",
	ReasonLimit:       "over-limit",
	ReasonParentOrder: "parent-order",
	ReasonSeqPrev:     "seq-without-prev",
	ReasonBodySize:    "body-size",
	ReasonBody:        "malformed-body",
	ReasonTransaction: "malformed-transaction",
	ReasonStatement:   "malformed-statement",
	ReasonRoots:       "body-roots",
	ReasonSignature:   "bad-signature",
	ReasonFounding:    "not-a-founding",
	ReasonFounder:     "founder-not-enrolled",
	ReasonMesh:        "other-mesh",
	ReasonNoParents:   "no-parents",
	ReasonAntichain:   "parents-not-antichain",
	ReasonPrevPast:    "prev-not-past",
	ReasonPrevAuthor:  "prev-other-author",
	ReasonSeq:         "wrong-seq",
	ReasonForkedPast:  "forked-past",
	ReasonDepth:       "wrong-depth",
	ReasonEpoch:       "wrong-epoch",
	ReasonBytes:       "wrong-bytes-total",
	ReasonWrites:      "wrong-writes-total",
	ReasonNotEnrolled: "not-enrolled",
	ReasonReader:      "reader-writes",
	ReasonGrant:       "outside-grant",
	ReasonRevoked:     "revoked",
	ReasonPolicy:      "outside-policy",
	ReasonQuota:       "over-quota",
	ReasonNotVersion:  "wrong-version",
	ReasonSchema:      "unknown-schema",
}

// String returns the reason's stable name, such as "wrong-depth": fit for a
// log attribute or a metric's label.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// MarshalText implements encoding.TextMarshaler with the text of String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Class says what kind of wrong a refusal is, since what becomes of the peer
// that sent the op depends on it.
type Class uint8

// Classes of refusals.
const (
	// ClassMalformed: anyone can see it from the bytes; whoever relays it is
	// faulty or lies.
	ClassMalformed Class = iota + 1
	// ClassLimit: over a bound.
	ClassLimit
	// ClassForged: the signature is not the author's.
	ClassForged
	// ClassInvalid: it breaks a rule about its past; its author is faulty.
	ClassInvalid
	// ClassUnauthorised: the roster of its past does not allow it.
	ClassUnauthorised
)

// String returns the class's name in lower case.
func (c Class) String() string {
	switch c {
	case ClassMalformed:
		return "malformed"
	case ClassLimit:
		return "limit"
	case ClassForged:
		return "forged"
	case ClassInvalid:
		return "invalid"
	case ClassUnauthorised:
		return "unauthorised"
	}
	return fmt.Sprintf("class-%d", uint8(c))
}

// Class returns the class the reason belongs to.
func (r Reason) Class() Class {
	switch r {
	case ReasonLimit:
		return ClassLimit
	case ReasonSignature:
		return ClassForged
	case ReasonFounder, ReasonNotEnrolled, ReasonReader, ReasonGrant, ReasonRevoked, ReasonPolicy, ReasonQuota:
		return ClassUnauthorised
	}
	if r < ReasonFounding {
		return ClassMalformed
	}
	return ClassInvalid
}

// A Refusal says that an op is not valid and never will be.
type Refusal struct {
	Reason Reason
	ID     ID    // the hash of the block, even of one that does not parse
	Detail error // what exactly was found; may be nil
}

// Error implements error.
func (r *Refusal) Error() string {
	s := "dag: op " + r.ID.String() + " refused: " + r.Reason.String()
	if r.Detail != nil {
		s += ": " + r.Detail.Error()
	}
	return s
}

// Unwrap returns Detail.
func (r *Refusal) Unwrap() error { return r.Detail }

// refusef returns a refusal without an ID, which Decode and Add fill in.
func refusef(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason of the Refusal that err is or wraps, 0 if there is none.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return 0
}

// A MissingError says that a valid answer needs ops that the graph does not
// hold: the op may be valid once they are added.
type MissingError struct {
	IDs []ID // parents not in the graph, ascending
}

// Error implements error.
func (e *MissingError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "dag: %d parents are missing", len(e.IDs))
	if len(e.IDs) > 0 {
		s.WriteString(", first " + e.IDs[0].String())
	}
	return s.String()
}
