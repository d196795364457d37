package admin

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Status is what a node says of itself.
type Status struct {
	Mesh     dag.ID             `json:"mesh"`     // the founding op
	Node     identity.PublicKey `json:"node"`     // this node's key
	Name     string             `json:"name"`     // as etcd's --name; local
	Operator string             `json:"operator"` // the name of the operator that enrolled it; empty until that is known
	Version  string             `json:"version"`  // of the program
	Ready    bool               `json:"ready"`    // clients are served
	// Superseded says that another disk or machine writes at this node's
	// place: this one refuses every write.
	Superseded bool  `json:"superseded"`
	Key        Story `json:"key"` // what became of the node's key
	// Alarms are those that stand, ascending, each type once: what keeps
	// clients from writing.
	Alarms []Alarm `json:"alarms"`

	Heads           []dag.ID  `json:"heads"`            // ascending
	Ops             uint64    `json:"ops"`              // delivered operations
	Forks           int       `json:"forks"`            // proven forks: pairs of operations
	Revision        int64     `json:"revision"`         // local; etcd's revision
	CompactRevision int64     `json:"compact_revision"` // local
	Keys            int64     `json:"keys"`             // visible keys
	Unsettled       int64     `json:"unsettled_keys"`   // keys that more than one write decides, see Keys.Conflicts
	StateHash       StateHash `json:"state_hash"`       // of the visible replicated keys and values

	ClientURLs    []string  `json:"client_urls"`    // where the etcd API listens
	PeerAddresses []string  `json:"peer_addresses"` // multiaddrs on which peers may connect
	Started       time.Time `json:"started"`        // of this process
	Peers         []Peer    `json:"peers"`          // by ID

	Forked []ForkedAuthor `json:"forked"` // the authors of the forks, ascending

	Short   []Space         `json:"short"`   // the spaces of which less than the reserve is free
	Waiting []WaitingAuthor `json:"waiting"` // whose operations wait until there is more, ascending
}

// A Space is the disk or the memory, of which some is kept free of the operations of
// forkers and revoked authors (docs/p2p.md, section 12).
type Space struct {
	Space   string `json:"space"`   // "disk" or "memory"
	Free    int64  `json:"free"`    // bytes
	Reserve int64  `json:"reserve"` // bytes
}

// WaitingAuthor is an author whose operations wait for space.
type WaitingAuthor struct {
	Author   identity.PublicKey `json:"author"`
	Operator string             `json:"operator"` // its name; empty if it is not known
}

// Story is what a node does with its place in the mesh, and what became of its
// key (docs/node.md, "Rotation").
type Story struct {
	// State is one of joining, writing, superseded, stuck, rotating, revoked and outdated.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // why it does not write

	Index     uint64 `json:"index"`          // of the key: 0 for the one enrolled
	Rotations uint64 `json:"rotations_left"` // how often it can be rotated yet
	Epoch     uint64 `json:"epoch"`          // of the revision window
	Part      uint64 `json:"part"`           // of that window

	Past  []PastKey `json:"past"` // oldest first
	Usage Usage     `json:"usage"`
}

// PastKey is a key that a node had before.
type PastKey struct {
	Key     identity.PublicKey `json:"key"`
	Rotated time.Time          `json:"rotated"`         // by the node's clock
	Cause   string             `json:"cause"`           // request, own-key or sibling
	Shown   *dag.ID            `json:"shown,omitempty"` // the op that was the cause
	Last    dag.ID             `json:"last"`            // the key's last op by this node, which carries the rotation
}

// Usage is what a node's chain has used of its quota.
type Usage struct {
	Bytes     uint64 `json:"bytes"`
	MaxBytes  uint64 `json:"max_bytes"` // 0: no bound
	Writes    uint64 `json:"writes"`
	MaxWrites uint64 `json:"max_writes"` // 0: no bound
	Percent   uint64 `json:"percent"`    // the greater of both; 0 without a bound
}

// Alarm is a type of alarm (docs/etcd.md, "Quota and alarms").
type Alarm string

const (
	// AlarmCorrupt refuses every write of a client until it is disarmed.
	AlarmCorrupt Alarm = "CORRUPT"
	// AlarmLogSpace says that little space is left for the log: clients may only
	// delete, or write nothing at all. It ends by itself. In etcd's API it is
	// an alarm NOSPACE.
	AlarmLogSpace Alarm = "LOGSPACE"
	// AlarmNoSpace refuses what puts or grants until it is disarmed. A full quota
	// raises it.
	AlarmNoSpace Alarm = "NOSPACE"
)

// Peer is another node as this one sees it.
type Peer struct {
	ID       identity.PublicKey `json:"id"`
	PeerID   string             `json:"peer_id"`  // the same key as libp2p writes it, as in /p2p/<peer ID>
	Operator string             `json:"operator"` // its operator's name; empty if it is not enrolled
	// State is "enrolled", "revoked", "statements" if the two exchange statements
	// only for another reason, or "unknown" (docs/p2p.md, section 10).
	State     string                `json:"state"`
	RevokedBy *identity.StatementID `json:"revoked_by,omitempty"` // the statement that revokes it
	RevokedAs string                `json:"revoked_as,omitempty"` // the operator as whom that was issued; empty for the root
	Address   string                `json:"address"`              // the multiaddr in use, or the last known; may be empty
	Connected bool                  `json:"connected"`            // a connection is open
	Pinned    bool                  `json:"pinned"`               // configured at this node
	// LagOps counts the ops that the peer is not known to hold and the heads
	// it announced that this node lacks: 0 if both hold the same.
	LagOps      int        `json:"lag_ops"`
	LastSync    *time.Time `json:"last_sync,omitempty"`    // when the last sync with it was completed
	LastError   string     `json:"last_error,omitempty"`   // of dialling or syncing
	Misconduct  string     `json:"misconduct,omitempty"`   // the last kind of misbehaviour
	BannedUntil *time.Time `json:"banned_until,omitempty"` // shut out until then
	BytesIn     int64      `json:"bytes_in"`               // of sync and gossip that it sent since this node runs, as they travelled
	BytesOut    int64      `json:"bytes_out"`              // of sync that it was sent
}

// StateHash is the hash of a node's visible replicated keys and values. Nodes
// that agree on them have the same, whatever their revisions. Its text is
// "state:" and 64 lower-case hex digits.
type StateHash [32]byte

const stateHashPrefix = "state:"

// errStateHash says that a text is not a state hash.
var errStateHash = errors.New(`admin: a state hash is "state:" and 64 lower-case hex digits`)

// String returns the text form.
func (h StateHash) String() string { return stateHashPrefix + hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h StateHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. On error h is unchanged.
func (h *StateHash) UnmarshalText(b []byte) error {
	digits, ok := strings.CutPrefix(string(b), stateHashPrefix)
	if !ok || len(digits) != 2*len(h) || strings.ToLower(digits) != digits {
		return errStateHash
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return errStateHash
	}
	*h = StateHash(raw)
	return nil
}
