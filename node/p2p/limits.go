package p2p

import "time"

// Every bound of the package, each with its unit and reason.
const (
	// maxGossip bounds a gossip message's data, in bytes: four seals of
	// 64 KiB. A larger op is announced by its ID and fetched by sync.
	maxGossip = 256 << 10
	// maxInflation bounds what compressed bytes may expand to, as a multiple of their own length: opening
	// them (some 3 ns a byte) costs no more than checking an operation that is as long as they are.
	maxInflation = 32
	// minDeflate is the length in bytes below which nothing is compressed, and thoroughDeflate
	// that above which speed counts more.
	minDeflate      = 128
	thoroughDeflate = 4 << 10
	// maxGossipRPC bounds a pubsub RPC, in bytes: one message and the control
	// messages of a heartbeat beside it.
	maxGossipRPC = maxGossip + 256<<10
	// maxAnnounced bounds the heads of an announcement; an op has as many parents at most.
	maxAnnounced = 128

	// maxJoinFrame bounds a frame of the join protocol, in bytes: three
	// statements of 16 KiB, or an op that carries them.
	maxJoinFrame = 64 << 10
	// maxValidators bounds the gossiped ops validated at one time; further ones wait in
	// pubsub's queue of gossipQueue messages, and are dropped when that is full.
	maxValidators, gossipQueue = 128, 256
	// maxIntroduction bounds the frame by which an unknown peer shows its
	// enrolment, in bytes: the op that a join answer holds and, much shorter,
	// those of some rotations. maxIntroductionOps bounds their number.
	maxIntroduction, maxIntroductionOps = maxJoinFrame, 8

	// maxTicketText bounds a ticket's text, in characters: an invite of 16 KiB and the
	// addresses, in base64.
	maxTicketText = 32 << 10
	// maxTicketAddrs bounds the addresses in a ticket and those kept per peer.
	maxTicketAddrs = 16
	// maxAddr bounds one multiaddr, in bytes: a DNS name of 255 with ports and peer ID.
	maxAddr = 512

	// maxPeers bounds the peers this node remembers and dials by itself.
	maxPeers = 256
	// maxStandings bounds the peers whose conduct is remembered in memory.
	maxStandings = 4096
	// maxMetricPeers bounds the peers that metrics name; further ones count as "other".
	maxMetricPeers = 64
	// maxBuckets bounds the addresses whose join attempts are counted apart.
	maxBuckets = 1024

	// connLow and connHigh are the connection manager's watermarks: above
	// high, unprotected connections are closed until low are left.
	connLow, connHigh = 128, 192
	// maxConnected bounds connected peers; configured ones, and those that this
	// node dials, have room beyond it, up to maxConnsIn connections that peers opened and maxConns in
	// all. maxStrangers bounds those of them that may not sync here.
	maxConnected, maxStrangers = 256, 64
	maxConnsIn, maxConns       = 320, 512
	// maxDialled is the number of connected peers at which only configured ones are dialled.
	maxDialled = 64
	// maxStreams bounds streams that peers opened, and those that this node did.
	maxStreams = 4096
	// maxHandshakes bounds connections that peers opened and whose keys are not known yet.
	// The last keptHandshakes of them are for addresses where peers proved good.
	maxHandshakes, keptHandshakes = 128, 32
	// acceptRate and acceptBurst pace the connections over TCP that are accepted, per second and processor and
	// at once: one that comes to nothing costs 200 µs. As many as maxBacklog wait in the system's queue, two seconds' worth.
	acceptRate, acceptBurst, maxBacklog = 64, 128, 128
	// handshakeShare bounds the handshakes of connections that peers opened, to that part of the
	// processors' time, and handshakeBurst what they may take at once, some sixty of them. So one in twenty of own
	// requests waits for one; and thirty sites a second come back to a node of one processor.
	handshakeShare, handshakeBurst = 0.05, 100 * time.Millisecond
	// maxPiece bounds what one piece of a handshake is said to have taken, as other processes may have had
	// the processor meanwhile; minPause is the shortest pause that is worth a timer.
	maxPiece, minPause = 10 * time.Millisecond, time.Millisecond
	// maxWaiting bounds the handshakes that wait for their turn at addresses that are known
	// good, and at others, two seconds' worth.
	maxWaiting = 64
	// maxHandshakeReads bounds the reads of a handshake, of which each is a turn: some
	// ten are usual.
	maxHandshakeReads = 64
	// pauseFactor is how much longer than a piece of work for a peer the pause after it is, on one
	// processor while own clients write: such work has a fifth of it then. ownLately is how
	// long after an own op they are taken to.
	// restAfter is how long a piece is after which it is divided. aloneRate bounds, at such times, the bytes of operations
	// sent and received in sessions, per second: what is made of each byte is eight on the heap, and so more often
	// than not what own clients wait for is the collector.
	pauseFactor, ownLately, restAfter, aloneRate = 4, 100 * time.Millisecond, 500 * time.Microsecond, 4 << 20
	// smallRead bounds what a read that does not fill a frame must bring not to count as a trickle, in bytes;
	// smallReads those of a session that may bring less, and one more for each smallReadPer bytes that came.
	// Each of them wakes us, whatever it brings; on any link all but the last of a frame bring more.
	smallRead, smallReads, smallReadPer = 256, 32, 16 << 10
	// aliveRate and aliveBurst bound the empty frames of a session, per second: a peer that is alive sends one in 2.5 s.
	aliveRate, aliveBurst = 10, 32
	// quicHandshake is what a handshake over QUIC is taken to cost.
	quicHandshake = 2 * time.Millisecond
	// maxGoodAddrs bounds the network addresses where peers proved good, goodAddrFor how long that counts.
	maxGoodAddrs, goodAddrFor = 1024, 24 * time.Hour
	// maxAddrConns bounds the connections with one network address, IPv4 or IPv6
	// network of 56 bits, so that a stranger with one address cannot take all; as many
	// sites may be behind one router. addrConnRate and addrConnBurst bound new ones, per
	// second, and addrConnGrace is how long an address that was quiet is remembered.
	maxAddrConns                = 128
	addrConnRate, addrConnBurst = 4, 256
	addrConnGrace               = time.Minute
	// connGrace is how long a new connection is exempt from that.
	connGrace = 20 * time.Second

	// maxSessionsIn and maxSessionsOut bound sync sessions at one time; of each, one per
	// peer. The last keptSessionsIn and keptSessionsOut of them are kept for configured peers.
	maxSessionsIn, maxSessionsOut   = 16, 8
	keptSessionsIn, keptSessionsOut = 4, 2
	// sessionRate and sessionBurst bound how often one peer may start a sync session, per second.
	sessionRate, sessionBurst = 5, 30
	// sessionGap is how long this node waits between two sessions that it
	// starts with one peer, so that it stays below the peer's sessionRate.
	sessionGap = 250 * time.Millisecond
	// serveRate and serveBurst bound the bytes of ops served to one peer, per
	// second and at once. A peer over it is served slowly, not refused: a
	// joiner may well need the whole history, once.
	serveRate, serveBurst = 8 << 20, 512 << 20
	// againRate and againBurst bound, of those, the bytes of ops that the peer
	// was sent before, per second and at once: a peer that says each time that
	// it holds nothing is not sent the whole history each time. One that lost
	// its disk gets it once more at full speed, up to the burst.
	againRate, againBurst = 1 << 20, 512 << 20

	// maxLanesIn and maxLanesOut bound sessions of the statement lane at one
	// time; of each, one per peer. laneRate and laneBurst bound how often one peer
	// may start one, per second, laneTime how long it takes.
	maxLanesIn, maxLanesOut = 4, 2
	laneRate, laneBurst     = 0.2, 6
	laneTime                = time.Minute
	// maxOffered bounds the statements that a node offers, so that a list of
	// them, of laneShort bytes each, fits into a frame of maxLaneFrame bytes.
	maxOffered, laneShort, maxLaneFrame = 4096, 8, 64 << 10
	// maxGiven bounds the statements asked for at once, and so an answer of
	// maxGivenFrame bytes; maxTaken those taken in a session.
	maxGiven, maxGivenFrame, maxTaken = 16, maxGiven*(maxStatement+128) + 64, 512
	// maxWanted bounds the links in a question for the past, maxTips the tips in it
	// that say what the asker has, 71 to 79 bytes each.
	maxWanted, maxTips, maxPastFrame = 256, 4096, 512 << 10
	// maxQuestions bounds the questions of one side in a session: a list, all
	// that may be taken, and what is missing of keep heads, twice.
	maxQuestions = 1 + maxTaken/maxGiven + 2*maxTaken
	// laneServeRate and laneServeBurst bound the bytes of ops served to one peer
	// by the lane, per second and at once; lanesServeRate and lanesServeBurst to all.
	laneServeRate, laneServeBurst   = 256 << 10, 16 << 20
	lanesServeRate, lanesServeBurst = 1 << 20, 64 << 20
	// laneStoreRate and laneStoreBurst bound the bytes of ops taken from one
	// peer by the lane whose authors may not write here, per second and at once;
	// lanesStoreRate and lanesStoreBurst from all. maxLaneOps bounds the bytes of ops taken in a session.
	laneStoreRate, laneStoreBurst   = 1 << 10, 4<<20 + 64<<10
	lanesStoreRate, lanesStoreBurst = 4 << 10, 16 << 20
	maxLaneOps                      = 64 << 20

	// maxProofs bounds the authors of whom a proof of a fork is held, a few hundred
	// bytes each and at most maxProof; maxProofsFrame those in a frame of maxProofFrame bytes,
	// which holds a list of maxProofs keys too.
	maxProofs, maxProofsFrame, maxProofFrame = 4096, 16, 256 << 10
	// proofRate and proofBurst bound the exchanges of proofs that one peer may start, per second.
	proofRate, proofBurst = 1, 16
	// proofsAgain is how often proofs are offered to a peer that knew them: it may not have known
	// the author.
	proofsAgain = 10 * time.Minute

	// throttleGossipRate and throttleGossipBurst bound what of one proven forker, or of one revoked
	// author, is taken by gossip, in units per second and at once: an op is one unit
	// and one more for each throttleUnit bytes. A larger op than the burst is left to sync.
	throttleGossipRate, throttleGossipBurst = 4, 64
	// throttleRate and throttleBurst pace the ops of all of them that come by sync, in units. At
	// some 50 µs for each the writer spends a tenth of its time on them. throttleMost bounds
	// how long a frame waits, so that all that builds on them comes through.
	throttleRate, throttleBurst, throttleUnit = 2000, 8000, 512
	throttleMost                              = 5 * time.Second

	// reserveAuthor bounds what of each of them is taken while a space is short, in bytes and
	// throttleUnit for each op, reserveShare the part of the reserve that all of them may take: an
	// accident is small. spaceCheck is how long a look at a space holds: at the pace above less
	// than a MiB.
	reserveAuthor, reserveShare = 4 << 20, 4
	spaceCheck                  = 250 * time.Millisecond

	// maxPlace bounds a record of where a node is, in bytes: 16 addresses and a
	// signature. maxPlaces bounds those in an answer, of at most maxPeersFrame bytes.
	maxPlace, maxPlaces, maxPeersFrame = 4 << 10, 64, 64 << 10
	// peersAgain is how long, and up to half as long again, a node waits before it
	// asks a peer once more where others are, peersTime how long the exchange may take.
	peersAgain, peersTime = 2 * time.Minute, 20 * time.Second
	// askRate and askBurst bound the questions of one peer, per second.
	askRate, askBurst = 0.05, 8
	// hintTries is how often a peer is dialled where others say that it is.
	hintTries = 5

	// maxRelays bounds configured relays, maxRelayAddrs the addresses by way of one.
	maxRelays, maxRelayAddrs = 8, 4
	// relayTTL is how long a place at this relay holds unless it is renewed,
	// maxCircuits bounds the connections of one peer that it relays, relayBuffer
	// the memory of each, in bytes.
	relayTTL, maxCircuits, relayBuffer = 15 * time.Minute, 64, 16 << 10
	// relayStrangerRate and relayStrangerBurst bound the connections of strangers
	// that it relays, per second: they may want to join.
	relayStrangerRate, relayStrangerBurst = 1, 32
	// relayGrace is how long relayed connections stay after a direct one was made.
	relayGrace = 2 * time.Second

	// publishQueue bounds own ops waiting to be gossiped. When it is full the op is
	// not gossiped, and the next announcement of heads makes peers fetch it.
	publishQueue = 512
	// wantQueue bounds requests to sync with a peer; when it is full, anti-entropy makes up.
	wantQueue = 128

	// answerTime is how long a peer with several connections has to answer on each.
	answerTime = 5 * time.Second

	// joinRate and joinBurst bound join attempts of everybody, per second.
	joinRate, joinBurst = 2, 64
	// joinAddrRate and joinAddrBurst bound join attempts from one network address, per second.
	joinAddrRate, joinAddrBurst = 1, 32
	// joinAgain is how long a joiner waits, with jitter, before it asks a busy host again.
	joinAgain = 2 * time.Second
	// joinTimeout bounds one join exchange.
	joinTimeout = 20 * time.Second
)
