package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// RedeemConfig says who joins by a ticket. All fields but Logger are required.
type RedeemConfig struct {
	Ticket   *Ticket
	Node     *identity.PrivateKey     // the key of the node that joins
	Operator identity.StatementSigner // the key of its operator, which the ticket admits
	Name     string                   // the operator's name, for people
	Logger   *slog.Logger             // nil means to log nothing
}

// Joined is the proof that a node was enrolled, and where it heard so.
type Joined struct {
	Mesh     dag.ID
	Op       dag.ID               // the inviter's op that carries the enrolment
	Operator identity.StatementID // the operator that was admitted
	Host     identity.PublicKey   // the inviter
	Addrs    []string             // the inviter's multiaddrs, each with its peer ID

	proof joined // the op
}

// Redeem joins a mesh: it asks the ticket's host to carry the statements that
// admit the operator and enrol its node, and verifies that the host did.
// Asking again with the same keys, as after a lost answer, gives the same
// result. It listens nowhere and stores nothing; see [SaveJoined]. ctx bounds it.
//
// Errors wrap [ErrTicketExpired], [ErrTicketUsed], [ErrTicketHost], [ErrMesh],
// [ErrBusy], [ErrRefused] or [ErrInternal] if that is the host's answer,
// [ErrTicketRotated] if a node with another key answers at its addresses,
// [ErrAnswer] if the answer proves nothing, or say why the host cannot be reached.
func Redeem(ctx context.Context, cfg RedeemConfig) (*Joined, error) {
	if cfg.Ticket == nil || cfg.Node == nil || cfg.Operator == nil {
		return nil, fmt.Errorf("%w: redeem needs a ticket, a node key and an operator key", ErrConfig)
	}
	if err := cfg.Ticket.check(); err != nil {
		return nil, err
	}
	req, operator, err := cfg.statements()
	if err != nil {
		return nil, err
	}
	info, err := cfg.Ticket.hostInfo()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout+dialTimeout)
	defer cancel()
	answer, err := ask(ctx, cfg.Node, info, req)
	for err == nil && answer.code == joinBusy && sleep(ctx, jitter(joinAgain)) {
		answer, err = ask(ctx, cfg.Node, info, req) // others join, too
	}
	if err != nil {
		return nil, err
	}
	if err := joinErrors[answer.code]; err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	j := &Joined{Mesh: cfg.Ticket.Mesh, Operator: operator, Host: cfg.Ticket.Host, proof: joined{answer.block, answer.body}}
	if j.Op, err = cfg.prove(answer, req); err != nil {
		return nil, err
	}
	suffix := "/p2p/" + info.ID.String()
	for _, a := range info.Addrs {
		j.Addrs = append(j.Addrs, a.String()+suffix)
	}
	if cfg.Logger != nil {
		cfg.Logger.Info("joined", "mesh", j.Mesh.String(), "host", info.ID.String(), "op", j.Op.String())
	}
	return j, nil
}

// statements makes the request: the invite, the redeem that the ticket's key
// signs, and the enrolment that the operator signs and the node consents to.
func (cfg *RedeemConfig) statements() (*joinRequest, identity.StatementID, error) {
	mesh := [32]byte(cfg.Ticket.Mesh)
	redeem, err := identity.SignTicketStatement(identity.Statement{
		Mesh: &mesh, Issuer: cfg.Ticket.Key.Public(), Seq: 1,
		Content: identity.Redeem{Invite: cfg.Ticket.Invite.ID(), Name: cfg.Name, Keys: []identity.PublicKey{cfg.Operator.Public()}},
	}, cfg.Ticket.Key)
	if err != nil {
		return nil, identity.StatementID{}, fmt.Errorf("join: sign with the ticket: %w", err)
	}
	operator := redeem.ID()
	enrol, err := identity.SignStatement(identity.Statement{
		Mesh: &mesh, Issuer: cfg.Operator.Public(), As: &operator, Seq: 1,
		Content: identity.Enrol{Node: cfg.Node.Public(), Rotations: identity.DefaultRotations, Consent: identity.SignConsent(mesh, operator, 0, cfg.Node)},
	}, cfg.Operator)
	if err != nil {
		return nil, identity.StatementID{}, fmt.Errorf("join: sign with the operator's key: %w", err)
	}
	return &joinRequest{
		mesh: cfg.Ticket.Mesh, invite: cfg.Ticket.Invite.Encoded(), redeem: redeem.Encoded(), enrol: enrol.Encoded(),
	}, operator, nil
}

// ask opens a connection and one stream to the host, and returns its answer.
func ask(ctx context.Context, node *identity.PrivateKey, info peer.AddrInfo, req *joinRequest) (*joinAnswer, error) {
	h, err := newHost(node, hostConfig{})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	s, err := h.NewStream(network.WithAllowLimitedConn(ctx, "join"), info.ID, JoinProtocol)
	var other sec.ErrPeerIDMismatch
	switch {
	case errors.As(err, &other):
		return nil, fmt.Errorf("%w: %s", ErrTicketRotated, other.Actual)
	case err != nil:
		return nil, fmt.Errorf("join: reach the inviting node: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.ResetWithError(codeClosing) })
	defer stop()
	f := newFramer(s, maxJoinFrame, joinTimeout)
	// The host may answer, and close, before it has read all: writing can then
	// fail, and only the answer counts.
	werr := errors.Join(f.write(req.encode()), s.CloseWrite())
	frame, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("join: the inviting node's answer: %w", errors.Join(err, werr))
	}
	_ = s.Close()
	return decodeJoinAnswer(frame)
}

// prove verifies that the answer holds an op of the host's that carries what
// was asked for, and returns its ID.
func (cfg *RedeemConfig) prove(a *joinAnswer, req *joinRequest) (dag.ID, error) {
	u, err := dag.Decode(a.block, a.body)
	if err != nil {
		return dag.ID{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	h := u.Header()
	if h.Author != cfg.Ticket.Host || h.Mesh == nil || *h.Mesh != cfg.Ticket.Mesh {
		return dag.ID{}, fmt.Errorf("%w: an op of another author or mesh", ErrAnswer)
	}
	if _, errs := dag.Verify([]*dag.Unverified{u}); errs[0] != nil {
		return dag.ID{}, fmt.Errorf("%w: %w", ErrAnswer, errs[0])
	}
	for _, want := range [][]byte{req.redeem, req.enrol} {
		s, err := identity.DecodeStatement(want)
		if err != nil {
			return dag.ID{}, err
		}
		found := false
		for _, got := range u.Statements() {
			found = found || got.ID() == s.ID()
		}
		if !found {
			return dag.ID{}, fmt.Errorf("%w: the op carries other statements", ErrAnswer)
		}
	}
	return u.ID(), nil
}

// SaveJoined stores what a node needs in order to connect to the mesh for the
// first time: the inviter as a peer, and the op that shows the enrolment to
// peers that do not know of it yet.
func SaveJoined(meta Meta, j *Joined) error {
	if err := saveIntroduction(meta, introduction{j.proof}); err != nil {
		return err
	}
	id, err := PeerID(j.Host)
	if err != nil {
		return err
	}
	var addrs []multiaddr.Multiaddr
	for _, s := range j.Addrs {
		info, err := ParsePeerAddr(s)
		if err != nil {
			return err
		}
		addrs = append(addrs, info.Addrs...)
	}
	if err := meta.PutMeta(peerMeta+id.String(), encodePeer(addrs, time.Now())); err != nil {
		return fmt.Errorf("p2p: store the inviting peer: %w", err)
	}
	return nil
}
