package p2p

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// ticketMeta is the prefix of the names under which redeemed tickets are kept,
// by the hex ID of their invite.
const ticketMeta = "p2p/ticket/"

// inviter answers those who redeem a ticket that names this node.
type inviter struct {
	n     *Network
	turn  sync.Mutex // one redemption at a time: a ticket is used once
	slots chan struct{}
	now   func() time.Time

	mu     sync.Mutex
	all    bucket
	byAddr map[netip.Prefix]*bucket
}

// maxJoins bounds join exchanges at one time.
const maxJoins = 8

// newInviter forgets the tickets that expired long enough ago for any clock.
func newInviter(n *Network) (*inviter, error) {
	now := time.Now()
	var stale []string
	err := n.meta.ScanMeta(ticketMeta, func(name string, v []byte) error {
		if use, err := decodeTicketUse(v); err == nil && now.Sub(use.expires) > 7*24*time.Hour {
			stale = append(stale, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("p2p: read used tickets: %w", err)
	}
	for _, name := range stale {
		if err := n.meta.PutMeta(name, nil); err != nil {
			return nil, fmt.Errorf("p2p: forget an expired ticket: %w", err)
		}
	}
	return &inviter{
		n:      n,
		slots:  make(chan struct{}, maxJoins),
		now:    time.Now,
		all:    newBucket(joinRate, joinBurst, now),
		byAddr: make(map[netip.Prefix]*bucket),
	}, nil
}

// ticketUse is what is kept of a redemption: who redeemed, and the op that
// carries it (zero before it was carried).
type ticketUse struct {
	redeem, enrol identity.StatementID
	op            dag.ID
	expires       time.Time
}

func (u *ticketUse) encode() []byte {
	b := dagcbor.AppendArray(nil, 5)
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendBytes(b, u.redeem[:])
	b = dagcbor.AppendBytes(b, u.enrol[:])
	b = dagcbor.AppendBytes(b, u.op[:])
	return dagcbor.AppendUint(b, uint64(u.expires.UnixMilli()))
}

func decodeTicketUse(v []byte) (*ticketUse, error) {
	u := new(ticketUse)
	d := dagcbor.NewDecoder(v)
	d.Tuple(5)
	version := d.Uint()
	d.Fixed(u.redeem[:])
	d.Fixed(u.enrol[:])
	d.Fixed(u.op[:])
	u.expires = time.UnixMilli(int64(d.Uint()))
	if err := d.Finish(); err != nil || version != 0 {
		return nil, fmt.Errorf("p2p: record of a used ticket: version %d: %w", version, errors.Join(ErrMalformed, err))
	}
	return u, nil
}

// allow takes one attempt from everybody's budget and from the address's: an
// IPv4 address, or an IPv6 network of 64 bits.
func (i *inviter) allow(c network.Conn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	key := netip.Prefix{}
	if ip, err := manet.ToIP(c.RemoteMultiaddr()); err == nil {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addr = addr.Unmap()
			key, _ = addr.Prefix(min(addr.BitLen(), 64))
		}
	}
	b := i.byAddr[key]
	if b == nil {
		if len(i.byAddr) >= maxBuckets {
			for k, old := range i.byAddr {
				if old.refill(now); old.tokens >= old.burst {
					delete(i.byAddr, k)
				}
			}
		}
		if len(i.byAddr) >= maxBuckets {
			return false
		}
		fresh := newBucket(joinAddrRate, joinAddrBurst, now)
		b = &fresh
		i.byAddr[key] = b
	}
	return b.take(1, now) && i.all.take(1, now)
}

// serve answers one join stream. Who is told to wait is not blamed: others may have the
// slots, or use up what is allowed at an address that many sites share.
func (i *inviter) serve(ctx context.Context, s network.Stream) {
	p := s.Conn().RemotePeer()
	f := newFramer(s, maxJoinFrame, min(i.n.timing.Stall, joinTimeout))
	answer := &joinAnswer{code: joinBusy}
	var err error
	if i.enter(s.Conn()) {
		defer func() { <-i.slots }()
		ctx, cancel := context.WithTimeout(ctx, joinTimeout)
		defer cancel()
		var frame []byte
		if frame, err = f.read(); err == nil {
			answer, err = i.answer(ctx, p, frame)
		}
		if err != nil {
			i.reject(s, p, err)
			return
		}
	}
	i.n.metrics.joins.WithLabelValues(joinNames[answer.code]).Inc()
	if err := f.write(answer.encode()); err != nil {
		_ = s.ResetWithError(codeClosing)
		return
	}
	_ = s.Close()
}

func (i *inviter) enter(c network.Conn) bool {
	if !i.allow(c) {
		return false
	}
	select {
	case i.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (i *inviter) reject(s network.Stream, p peer.ID, err error) {
	i.n.metrics.joins.WithLabelValues("malformed").Inc()
	_ = s.ResetWithError(codeProtocol)
	switch {
	case errors.Is(err, ErrFrameTooLong):
		i.n.standings.report(p, reasonOversize, err)
	case errors.Is(err, ErrStalled):
		i.n.standings.report(p, reasonStalled, err)
	case errors.Is(err, ErrMalformed):
		i.n.standings.report(p, reasonMalformed, err)
	default:
		i.n.standings.report(p, reasonJoin, err)
	}
}

// answer decides about a request. The error is for requests that are malformed.
func (i *inviter) answer(ctx context.Context, p peer.ID, frame []byte) (*joinAnswer, error) {
	r, err := decodeJoinRequest(frame)
	if err != nil {
		return nil, err
	}
	st, err := parseRedemption(r)
	if err != nil {
		return nil, err
	}
	code, why := i.check(p, r.mesh, st)
	if code == joinDone {
		return i.redeem(ctx, p, r, st), nil
	}
	return i.refuse(p, code, why), nil
}

func (i *inviter) refuse(p peer.ID, code joinCode, why error) *joinAnswer {
	if code == joinInternal {
		i.n.log.Error("cannot redeem a ticket", "peer", p.String(), "error", why)
	} else {
		i.n.log.Warn("refused to redeem a ticket", "peer", p.String(), "answer", joinNames[code], "detail", text(why))
	}
	return &joinAnswer{code: code}
}

// redemption is the three statements of a request, parsed.
type redemption struct {
	invite, redeem, enrol *identity.Statement
	host                  identity.PublicKey
	node                  identity.PublicKey
	expires               time.Time
}

func parseRedemption(r *joinRequest) (*redemption, error) {
	st := new(redemption)
	for _, f := range []struct {
		name string
		to   **identity.Statement
		from []byte
	}{{"invite", &st.invite, r.invite}, {"redeem", &st.redeem, r.redeem}, {"enrol", &st.enrol, r.enrol}} {
		s, err := identity.DecodeStatement(f.from)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, f.name, err)
		}
		*f.to = s
	}
	invite, ok := st.invite.Content.(identity.Invite)
	if !ok {
		return nil, fmt.Errorf("%w: the first statement is no invite", ErrMalformed)
	}
	if _, ok := st.redeem.Content.(identity.Redeem); !ok {
		return nil, fmt.Errorf("%w: the second statement redeems nothing", ErrMalformed)
	}
	enrol, ok := st.enrol.Content.(identity.Enrol)
	if !ok {
		return nil, fmt.Errorf("%w: the third statement enrols nobody", ErrMalformed)
	}
	st.host, st.node = invite.Host, enrol.Node
	st.expires = time.UnixMilli(int64(invite.Expires))
	return st, nil
}

// check says whether the statements, carried by this node now, would enrol the peer.
func (i *inviter) check(p peer.ID, mesh dag.ID, st *redemption) (joinCode, error) {
	n := i.n
	key, err := NodeKey(p)
	switch {
	case err != nil:
		return joinRefused, err
	case mesh != n.mesh:
		return joinMesh, ErrMesh
	case st.host != n.self:
		return joinHost, ErrTicketHost // also if it is a key this node had before
	case !i.now().Before(st.expires):
		return joinExpired, fmt.Errorf("%w at %s", ErrTicketExpired, st.expires.UTC().Format(time.RFC3339))
	case st.node != key:
		return joinRefused, fmt.Errorf("%w: the peer wants to enrol another node's key", ErrRefused)
	}
	roster := n.backend.Graph().Roster()
	if err := roster.Standing(n.self).Err(); err != nil {
		return joinRefused, fmt.Errorf("%w: this node may carry nothing: %w", ErrRefused, err)
	}
	for _, used := range roster.Invitations() {
		if used.ID == st.invite.ID() && used.Redeemed != (identity.StatementID{}) && used.Redeemed != st.redeem.ID() {
			return joinUsed, ErrTicketUsed
		}
	}
	if a, ok := roster.Author(key); ok && a.ID != st.enrol.ID() {
		return joinRefused, fmt.Errorf("%w: the node is enrolled already", ErrRefused)
	}
	var carried []identity.Carried
	for j, s := range []*identity.Statement{st.invite, st.redeem, st.enrol} {
		// Where on our chain they will be does not matter: an earlier redeem was looked for above.
		carried = append(carried, identity.Carried{Statement: s, Author: n.self, Seq: 1 << 62, Index: j})
	}
	with := roster.With(carried...)
	if a, ok := with.Author(key); !ok || a.ID != st.enrol.ID() {
		return joinRefused, fmt.Errorf("%w: they would enrol nobody", ErrRefused)
	}
	if err := with.Standing(key).Err(); err != nil {
		return joinRefused, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return joinDone, nil
}

// redeem carries the statements, once per ticket: the ticket is bound to its
// redeemer durably before. The same redeemer gets the same answer again.
func (i *inviter) redeem(ctx context.Context, p peer.ID, r *joinRequest, st *redemption) *joinAnswer {
	i.turn.Lock()
	defer i.turn.Unlock()
	id := st.invite.ID()
	name := ticketMeta + hex.EncodeToString(id[:])
	use := &ticketUse{redeem: st.redeem.ID(), enrol: st.enrol.ID(), expires: st.expires}
	v, err := loadMeta(i.n.meta, name)
	if err != nil {
		return i.refuse(p, joinInternal, err)
	}
	if v != nil {
		before, err := decodeTicketUse(v)
		if err != nil {
			return i.refuse(p, joinInternal, err)
		}
		if before.redeem != use.redeem || before.enrol != use.enrol {
			return i.refuse(p, joinUsed, ErrTicketUsed)
		}
		use.op = before.op
	}
	if use.op == (dag.ID{}) {
		if err := i.n.meta.PutMeta(name, use.encode()); err != nil {
			return i.refuse(p, joinInternal, err)
		}
		if use.op, err = i.n.backend.Carry(ctx, [][]byte{r.invite, r.redeem, r.enrol}); err != nil {
			return i.refuse(p, joinInternal, err)
		}
		if err := i.n.meta.PutMeta(name, use.encode()); err != nil {
			return i.refuse(p, joinInternal, err)
		}
		i.n.log.Info("ticket redeemed", "peer", p.String(), "invite", id.String(), "op", use.op.String(),
			"operator", strings.ToValidUTF8(st.redeem.Content.(identity.Redeem).Name, "?"))
	}
	block, body, err := i.n.backend.Fetch(use.op)
	if err != nil {
		return i.refuse(p, joinInternal, err)
	}
	return &joinAnswer{code: joinDone, block: block, body: body}
}
