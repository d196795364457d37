package p2p

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// An operator enrols a node that is not at hand with two texts that are no
// secrets (docs/p2p.md, section 8): the node's request, and the pass that the
// operator gives back.
const (
	requestPrefix = "causeway-request:"
	passPrefix    = "causeway-pass:"

	enrolmentVersion = 0
	// maxEnrolmentText bounds either text, in bytes: a pass holds an op of
	// statements, and addresses.
	maxEnrolmentText = 128 << 10
)

// ErrRequest and ErrPass say that a text is no request, or no pass.
var (
	ErrRequest = errors.New("p2p: not a request to be enrolled")
	ErrPass    = errors.New("p2p: not a pass")
)

// A Request asks an operator to enrol a node. It holds the node's consent, and
// so binds the node to that operator's slot in that mesh.
type Request struct {
	Mesh     dag.ID
	Operator identity.StatementID
	Slot     uint64
	Node     identity.PublicKey
	Consent  identity.Signature
}

// NewRequest makes the request of a node.
func NewRequest(mesh dag.ID, operator identity.StatementID, slot uint64, node *identity.PrivateKey) *Request {
	return &Request{Mesh: mesh, Operator: operator, Slot: slot, Node: node.Public(), Consent: identity.SignConsent(mesh, operator, slot, node)}
}

// Text returns the text that [ParseRequest] reads.
func (r *Request) Text() string {
	b := dagcbor.AppendArray(nil, 6)
	b = dagcbor.AppendUint(b, enrolmentVersion)
	b = dagcbor.AppendLink(b, r.Mesh)
	b = dagcbor.AppendBytes(b, r.Operator[:])
	b = dagcbor.AppendUint(b, r.Slot)
	b = dagcbor.AppendBytes(b, r.Node[:])
	b = dagcbor.AppendBytes(b, r.Consent[:])
	return requestPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseRequest parses a request's text, strictly, but for white space around
// it, and verifies the consent. The error wraps [ErrRequest].
func ParseRequest(text string) (*Request, error) {
	raw, err := unwrapText(text, requestPrefix, ErrRequest)
	if err != nil {
		return nil, err
	}
	d := dagcbor.NewDecoder(raw)
	d.Tuple(6)
	version := d.Uint()
	r := &Request{Mesh: d.Link()}
	d.Fixed(r.Operator[:])
	r.Slot = d.Uint()
	d.Fixed(r.Node[:])
	d.Fixed(r.Consent[:])
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrRequest, err)
	}
	if version != enrolmentVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrRequest, version, enrolmentVersion)
	}
	if err := r.Node.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if !identity.VerifyConsent(r.Mesh, r.Operator, r.Slot, r.Node, r.Consent) {
		return nil, fmt.Errorf("%w: the node's consent does not verify", ErrRequest)
	}
	return r, nil
}

// A Pass tells a node that was enrolled elsewhere where its mesh is: by which op
// it is enrolled, and at which node it can find the others.
type Pass struct {
	Mesh  dag.ID
	Host  identity.PublicKey // a node of the mesh
	Addrs []string           // its multiaddrs, without peer ID; 1 to 16
	Block []byte             // the op that carries the enrolment
	Body  []byte
}

// NewPass makes the pass of a node that an op enrols, for finding its mesh at
// host. addrs are multiaddrs of the host, with or without its peer ID; the first
// 16 are taken. The error wraps [ErrPass] if there is none or one is malformed.
func NewPass(mesh dag.ID, host identity.PublicKey, addrs []string, block, body []byte) (*Pass, error) {
	p := &Pass{Mesh: mesh, Host: host, Block: block, Body: body}
	for _, s := range addrs[:min(len(addrs), maxTicketAddrs)] {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("%w: address %q: %v", ErrPass, s, err)
		}
		bare, _ := peer.SplitAddr(a)
		if bare == nil {
			return nil, fmt.Errorf("%w: address %q is none", ErrPass, s)
		}
		p.Addrs = append(p.Addrs, bare.String())
	}
	if len(p.Addrs) == 0 {
		return nil, fmt.Errorf("%w: the node has no address", ErrPass)
	}
	return p, nil
}

// Text returns the text that [ParsePass] reads. The error wraps [ErrPass] if an
// address is malformed.
func (p *Pass) Text() (string, error) {
	b := dagcbor.AppendArray(nil, 6)
	b = dagcbor.AppendUint(b, enrolmentVersion)
	b = dagcbor.AppendLink(b, p.Mesh)
	b = dagcbor.AppendBytes(b, p.Host[:])
	b = dagcbor.AppendArray(b, len(p.Addrs))
	for _, s := range p.Addrs {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return "", fmt.Errorf("%w: address %q: %v", ErrPass, s, err)
		}
		b = dagcbor.AppendBytes(b, a.Bytes())
	}
	b = dagcbor.AppendBytes(b, p.Block)
	b = dagcbor.AppendBytes(b, p.Body)
	return passPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// ParsePass parses a pass's text, strictly, but for white space around it. It
// verifies that the op is of the mesh and signed, not that its author is one of
// the mesh's: delivery decides that. The error wraps [ErrPass].
func ParsePass(text string) (*Pass, error) {
	raw, err := unwrapText(text, passPrefix, ErrPass)
	if err != nil {
		return nil, err
	}
	d := dagcbor.NewDecoder(raw)
	d.Tuple(6)
	version := d.Uint()
	p := &Pass{Mesh: d.Link()}
	d.Fixed(p.Host[:])
	addrs := make([][]byte, 0, maxTicketAddrs)
	for range d.Array(maxTicketAddrs) {
		addrs = append(addrs, d.Bytes(maxAddr))
	}
	p.Block = slices.Clone(d.Bytes(dag.MaxBlock))
	p.Body = slices.Clone(d.Bytes(maxEnrolmentText))
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPass, err)
	}
	if version != enrolmentVersion || len(addrs) == 0 {
		return nil, fmt.Errorf("%w: version %d with %d addresses", ErrPass, version, len(addrs))
	}
	for _, b := range addrs {
		a, err := multiaddr.NewMultiaddrBytes(b)
		if err != nil {
			return nil, fmt.Errorf("%w: an address is malformed", ErrPass)
		}
		p.Addrs = append(p.Addrs, a.String())
	}
	u, err := p.op()
	if err != nil {
		return nil, err
	}
	if h := u.Header(); h.Mesh == nil || *h.Mesh != p.Mesh {
		return nil, fmt.Errorf("%w: its op is of another mesh", ErrPass)
	}
	if _, errs := dag.Verify([]*dag.Unverified{u}); errs[0] != nil {
		return nil, fmt.Errorf("%w: %w", ErrPass, errs[0])
	}
	return p, nil
}

func (p *Pass) op() (*dag.Unverified, error) {
	u, err := dag.Decode(p.Block, p.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: its op: %w", ErrPass, err)
	}
	return u, nil
}

// Joined returns what [SaveJoined] stores for node. The error wraps [ErrPass]
// if the pass is for another node.
func (p *Pass) Joined(node identity.PublicKey) (*Joined, error) {
	u, err := p.op()
	if err != nil {
		return nil, err
	}
	id, err := PeerID(p.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPass, err)
	}
	for _, s := range u.Statements() {
		if c, ok := s.Content.(identity.Enrol); ok && c.Node == node && s.As != nil {
			j := &Joined{Mesh: p.Mesh, Op: u.ID(), Operator: *s.As, Host: p.Host, proof: joined{p.Block, p.Body}}
			for _, a := range p.Addrs {
				j.Addrs = append(j.Addrs, a+"/p2p/"+id.String())
			}
			return j, nil
		}
	}
	return nil, fmt.Errorf("%w: it is for another node than %s", ErrPass, node)
}

// unwrapText returns what the text holds after its prefix.
func unwrapText(text, prefix string, kind error) ([]byte, error) {
	text = strings.TrimSpace(text)
	code, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %q", kind, prefix)
	}
	if len(text) > maxEnrolmentText {
		return nil, fmt.Errorf("%w: longer than %d characters", kind, maxEnrolmentText)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != code {
		return nil, fmt.Errorf("%w: not base64url (was it cut off?)", kind)
	}
	return raw, nil
}
