package p2p

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// ticketPrefix begins a ticket's text.
const ticketPrefix = "causeway-ticket:"

// ticketVersion is the version of the ticket's encoding.
const ticketVersion = 0

// A Ticket lets whoever holds it join a mesh, once, through the node that
// issued it (docs/p2p.md section 8). It is a secret: it prints redacted, and
// only [Ticket.Secret] returns its text. Fields are read only once made.
type Ticket struct {
	Mesh    dag.ID
	Key     *identity.PrivateKey // signs the redeem; made for this ticket alone
	Invite  *identity.Statement  // what is granted
	Host    identity.PublicKey   // the inviting node, which alone may redeem it
	Addrs   []string             // multiaddrs of the host, without its peer ID; 1 to 16
	Expires time.Time            // by the host's clock; whole milliseconds
}

// NewTicket makes a ticket for an invite that names key as its ticket key.
// addrs are the host's multiaddrs, with or without /p2p/<its peer ID>. The
// error wraps [ErrTicket] if the parts do not fit together.
func NewTicket(mesh dag.ID, key *identity.PrivateKey, invite *identity.Statement, addrs []string) (*Ticket, error) {
	t := &Ticket{Mesh: mesh, Key: key, Invite: invite}
	content, ok := invite.Content.(identity.Invite)
	if !ok {
		return nil, fmt.Errorf("%w: its statement is no invite", ErrTicket)
	}
	t.Host = content.Host
	t.Expires = time.UnixMilli(int64(content.Expires)).UTC()
	id, err := PeerID(t.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTicket, err)
	}
	for _, s := range addrs {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("%w: address %q: %v", ErrTicket, s, err)
		}
		bare, last := peer.SplitAddr(a)
		if bare == nil || (last != "" && last != id) {
			return nil, fmt.Errorf("%w: address %q is not the inviting node's", ErrTicket, s)
		}
		t.Addrs = append(t.Addrs, bare.String())
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// check verifies that the parts fit together and that the invite's issuer signed it.
func (t *Ticket) check() error {
	invite, ok := t.Invite.Content.(identity.Invite)
	switch {
	case !ok:
		return fmt.Errorf("%w: its statement is no invite", ErrTicket)
	case t.Invite.Mesh == nil || dag.ID(*t.Invite.Mesh) != t.Mesh:
		return fmt.Errorf("%w: its invite is of another mesh", ErrTicket)
	case invite.Ticket != t.Key.Public():
		return fmt.Errorf("%w: its invite is for another ticket", ErrTicket)
	case invite.Host != t.Host:
		return fmt.Errorf("%w: its invite is for another inviting node", ErrTicket)
	case invite.Expires != uint64(t.Expires.UnixMilli()):
		return fmt.Errorf("%w: its invite expires at another time", ErrTicket)
	case len(t.Addrs) == 0 || len(t.Addrs) > maxTicketAddrs:
		return fmt.Errorf("%w: %d addresses, want 1 to %d", ErrTicket, len(t.Addrs), maxTicketAddrs)
	case !t.Invite.VerifySignature():
		return fmt.Errorf("%w: its invite's signature does not verify", ErrTicket)
	}
	return nil
}

// Secret returns the ticket's text, "causeway-ticket:" and base64url, which is
// all that is needed to join: show it to its bearer only.
func (t *Ticket) Secret() (string, error) {
	seed := t.Key.Seed()
	b := dagcbor.AppendArray(nil, 7)
	b = dagcbor.AppendUint(b, ticketVersion)
	b = dagcbor.AppendLink(b, t.Mesh)
	b = dagcbor.AppendBytes(b, seed[:])
	b = dagcbor.AppendBytes(b, t.Invite.Encoded())
	b = dagcbor.AppendBytes(b, t.Host[:])
	b = dagcbor.AppendArray(b, len(t.Addrs))
	for _, s := range t.Addrs {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return "", fmt.Errorf("%w: address %q: %v", ErrTicket, s, err)
		}
		b = dagcbor.AppendBytes(b, a.Bytes())
	}
	b = dagcbor.AppendUint(b, uint64(t.Expires.UnixMilli()))
	return ticketPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// ParseTicket parses a ticket's text, strictly, but for white space around it.
// The error wraps [ErrTicket] and repeats no part of the text.
func ParseTicket(text string) (*Ticket, error) {
	text = strings.TrimSpace(text)
	code, ok := strings.CutPrefix(text, ticketPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrTicket, ticketPrefix)
	}
	if len(text) > maxTicketText {
		return nil, fmt.Errorf("%w: longer than %d characters", ErrTicket, maxTicketText)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != code {
		return nil, fmt.Errorf("%w: not base64url (was it cut off?)", ErrTicket)
	}
	t, err := decodeTicket(raw)
	if err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

func decodeTicket(raw []byte) (*Ticket, error) {
	d := dagcbor.NewDecoder(raw)
	d.Tuple(7)
	if v := d.Uint(); d.Err() == nil && v != ticketVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrTicket, v, ticketVersion)
	}
	t := &Ticket{Mesh: d.Link()}
	var seed [32]byte
	d.Fixed(seed[:])
	invite := d.Bytes(maxTicketText)
	d.Fixed(t.Host[:])
	addrs := make([][]byte, 0, maxTicketAddrs)
	for range d.Array(maxTicketAddrs) {
		addrs = append(addrs, d.Bytes(maxAddr))
	}
	expires := d.Uint()
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTicket, err)
	}
	var err error
	if t.Invite, err = identity.DecodeStatement(slices.Clone(invite)); err != nil {
		return nil, fmt.Errorf("%w: its invite: %w", ErrTicket, err)
	}
	for _, b := range addrs {
		a, err := multiaddr.NewMultiaddrBytes(b)
		if err != nil {
			return nil, fmt.Errorf("%w: an address is malformed", ErrTicket)
		}
		t.Addrs = append(t.Addrs, a.String())
	}
	t.Key = identity.NewKeyFromSeed(seed)
	t.Expires = time.UnixMilli(int64(expires)).UTC()
	return t, nil
}

// hostInfo returns the inviting node with its addresses, for dialling.
func (t *Ticket) hostInfo() (peer.AddrInfo, error) {
	id, err := PeerID(t.Host)
	if err != nil {
		return peer.AddrInfo{}, err
	}
	info := peer.AddrInfo{ID: id}
	for _, s := range t.Addrs {
		a, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return peer.AddrInfo{}, fmt.Errorf("%w: %q: %v", ErrAddress, s, err)
		}
		info.Addrs = append(info.Addrs, a)
	}
	return info, nil
}

const redactedTicket = ticketPrefix + "(redacted)"

// String returns a redacted form.
func (Ticket) String() string { return redactedTicket }

// GoString returns a redacted form.
func (Ticket) GoString() string { return redactedTicket }

// Format prints a redacted form, whatever the verb.
func (Ticket) Format(f fmt.State, _ rune) { io.WriteString(f, redactedTicket) }

// LogValue returns a redacted form.
func (Ticket) LogValue() slog.Value { return slog.StringValue(redactedTicket) }

// MarshalText returns a redacted form: a ticket inside a document stays secret.
func (Ticket) MarshalText() ([]byte, error) { return []byte(redactedTicket), nil }
