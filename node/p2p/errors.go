package p2p

import "errors"

// Errors of configuration and addresses.
var (
	// ErrConfig says that a [Config] cannot work; the wrapped text names the field.
	ErrConfig = errors.New("p2p: bad configuration")
	// ErrAddress says that a text is not a usable peer multiaddr.
	ErrAddress = errors.New("p2p: not a peer address")
	// ErrPeerID says that a libp2p peer ID does not hold an Ed25519 node key.
	ErrPeerID = errors.New("p2p: peer ID is not an Ed25519 key")
	// ErrClosed says that the network was closed.
	ErrClosed = errors.New("p2p: network is closed")
)

// Errors of tickets and of joining. All but ErrTicket and
// ErrTicketRotated can be the inviter's answer.
var (
	// ErrTicket says that a text is not a well-formed, consistent ticket.
	ErrTicket = errors.New("p2p: not a valid ticket")
	// ErrTicketExpired says that the ticket's time is over by the inviter's clock.
	ErrTicketExpired = errors.New("p2p: the ticket has expired")
	// ErrTicketUsed says that the ticket was redeemed before, by someone else.
	ErrTicketUsed = errors.New("p2p: the ticket was used before")
	// ErrTicketHost says that the ticket names another node as its inviter.
	ErrTicketHost = errors.New("p2p: the ticket was issued for another inviting node")
	// ErrTicketRotated says that another node key answers at the ticket's
	// addresses: the inviting node has changed its key, which ends its tickets,
	// or the addresses are another node's by now.
	ErrTicketRotated = errors.New("p2p: the inviting node has another key by now; ask for a new ticket")
	// ErrMesh says that a ticket, frame or op belongs to another mesh.
	ErrMesh = errors.New("p2p: another mesh")
	// ErrBusy says that the other side limits the rate of such requests; try later.
	ErrBusy = errors.New("p2p: too many requests, try later")
	// ErrRefused says that the statements would enrol nobody.
	ErrRefused = errors.New("p2p: the inviting node refused the statements")
	// ErrInternal says that the inviting node failed for a reason of its own.
	ErrInternal = errors.New("p2p: the inviting node could not complete the request")
	// ErrAnswer says that the inviting node's answer does not prove the enrolment.
	ErrAnswer = errors.New("p2p: the inviting node's answer proves no enrolment")
)

// Errors of frames and sessions. They name what a peer did wrong.
var (
	// ErrFrameTooLong says that a frame announces more bytes than its bound.
	ErrFrameTooLong = errors.New("p2p: frame exceeds its bound")
	// ErrMalformed says that a frame or message is not the one encoding of anything.
	ErrMalformed = errors.New("p2p: malformed message")
	// ErrStalled says that a peer did not send or take bytes in time.
	ErrStalled = errors.New("p2p: peer stalled")
	// ErrBudget says that a peer used up what it may ask of this node.
	ErrBudget = errors.New("p2p: peer is over its budget")
	// ErrNotEnrolled says that a peer is not enrolled by the roster this node knows.
	ErrNotEnrolled = errors.New("p2p: peer is not enrolled in this mesh")
	// ErrRevoked says that the roster this node knows revokes a peer; it also wraps
	// identity.ErrRevoked, which says who did.
	ErrRevoked = errors.New("p2p: peer is revoked in this mesh")
	// ErrWaits says that a sync is incomplete since operations wait until this
	// node, or the peer, has space for them. Nobody is to blame.
	ErrWaits = errors.New("p2p: operations wait for space")
	// ErrNotHeld says that no peer is known to hold an operation.
	ErrNotHeld = errors.New("p2p: no peer is known to hold the operation")
	// ErrBanned says that a peer is shut out for a time.
	ErrBanned = errors.New("p2p: peer is banned for a time")
)
