package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Codes with which streams are reset, so that the other side knows why.
const (
	codeBusy network.StreamErrorCode = 1 + iota
	codeNotEnrolled
	codeBudget
	codeProtocol
	codeClosing
)

// A Network is a node's connection to the other nodes of its mesh. Make one
// with [Open]. Its methods are safe for concurrent use.
type Network struct {
	backend Backend
	mesh    dag.ID
	key     *identity.PrivateKey
	self    identity.PublicKey
	id      peer.ID
	meta    Meta
	log     *slog.Logger
	timing  Timing
	cfg     Config
	room    room

	advertise []multiaddr.Multiaddr // configured
	relays    *relays
	relay     *relay.Relay // nil if this node is none
	directory *directory
	mdns      io.Closer // nil if it is off

	host          host.Host
	metrics       *metrics
	standings     *standings
	cuts          cuts
	doors         *doors
	remote        *remote
	book          *book
	peers         *peers
	introductions *introductions
	delivery      *delivery
	proofs        *proofs
	throttle      *throttle
	reserve       *reserve
	intake        *intake
	gossip        *gossip
	syncer        *syncer
	inviter       *inviter
	introduction  introduction // this node's own; nil if it needs none
	warden        *warden
	lanes         *lanes
	emitPeer      event.Emitter

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed and starts of wg
	closed bool
	wg     sync.WaitGroup
	once   sync.Once
}

// Open starts to listen and to connect. The caller closes the result before
// the backend and the store. ctx bounds the start only. Errors wrap [ErrConfig], or
// are of the store or the sockets.
func Open(ctx context.Context, cfg Config) (*Network, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cfg.Listen == nil {
		cfg.Listen = DefaultListen
	}
	n := &Network{
		backend: cfg.Backend, mesh: cfg.Mesh, key: cfg.Key, self: cfg.Key.Public(), meta: cfg.Meta,
		log: cfg.Logger, timing: cfg.Timing.withDefaults(), cfg: cfg, room: cfg.room.withDefaults(), metrics: newMetrics(), introductions: newIntroductions(),
		remote: newRemote(),
	}
	n.doors = newDoors(n.metrics.dropped.WithLabelValues("handshake").Inc)
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if n.id, err = PeerID(n.self); err != nil {
		return nil, err
	}
	if n.book, err = openBook(n.meta, n.timing); err != nil {
		return nil, err
	}
	for _, s := range cfg.Peers {
		info, err := ParsePeerAddr(s)
		if err != nil {
			return nil, err
		}
		if info.ID == n.id {
			continue
		}
		if err := n.book.pin(info); err != nil {
			return nil, err
		}
	}
	if n.introduction, err = loadIntroduction(n.meta); err != nil {
		return nil, err
	}
	var relays []peer.AddrInfo
	if n.relays, relays, err = newRelays(n, cfg.Relays); err != nil {
		return nil, err
	}
	if n.advertise, err = parseAdvertised(cfg.Advertise); err != nil {
		return nil, err
	}
	n.standings = newStandings(n.log, n.metrics, n.timing, n.shutOut)
	n.peers = newPeers(n)
	n.delivery = newDelivery(n)
	if n.proofs, err = openProofs(n); err != nil {
		return nil, err
	}
	n.throttle = newThrottle(n)
	n.reserve = newReserve(n, cfg.Spaces)
	n.intake = newIntake(n)
	n.directory = newDirectory(n)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.listen(); err != nil {
		n.Close()
		return nil, err
	}
	for _, info := range relays {
		n.start(func(ctx context.Context) { n.relays.keep(ctx, info) })
	}
	return n, nil
}

// listen opens the sockets and starts the goroutines.
func (n *Network) listen() error {
	var err error
	if n.host, err = newHost(n.key, hostConfig{gater: connGate{n}, addrs: n.advertised, punch: n.cfg.HolePunching, pinned: n.book.configured(), doors: n.doors, further: n.cfg.HostOptions}); err != nil {
		return err
	}
	if n.emitPeer, err = n.host.EventBus().Emitter(new(event.EvtPeerProtocolsUpdated)); err != nil {
		return fmt.Errorf("p2p: event bus: %w", err)
	}
	if n.cfg.RelayService {
		if n.relay, err = serveRelay(n, n.host); err != nil {
			return err
		}
	}
	n.warden = newWarden(n)
	n.lanes = newLanes(n)
	n.syncer = newSyncer(n)
	if n.inviter, err = newInviter(n); err != nil {
		return err
	}
	if n.gossip, err = newGossip(n); err != nil {
		return err
	}
	n.metrics.watch(n)
	if err := n.metrics.register(n.cfg.Registerer); err != nil {
		return err
	}
	for _, id := range n.book.ids() {
		n.host.ConnManager().Protect(id, "book")
	}
	n.host.SetStreamHandler(SyncProtocol, n.handler(n.syncer.serve))
	n.host.SetStreamHandler(LaneProtocol, n.handler(n.lanes.serve))
	n.host.SetStreamHandler(ProofProtocol, n.handler(n.proofs.serve))
	n.host.SetStreamHandler(JoinProtocol, n.handler(n.inviter.serve))
	if !n.cfg.NoPeerExchange {
		n.host.SetStreamHandler(PeersProtocol, n.handler(n.directory.serve))
	}
	n.host.Network().Notify(n.notifiee())
	// From here on peers can be heard; all that answers them is in place.
	if err := listenOn(n.host, n.cfg.Listen); err != nil {
		return err
	}
	if n.cfg.MDNS {
		if n.mdns, err = startMDNS(n, n.host); err != nil {
			return err
		}
	}
	n.backend.OnOp(n.gossip.own)
	n.start(n.warden.loop)
	n.start(n.intake.loop)
	n.start(n.lanes.loop)
	n.start(n.proofs.loop)
	n.start(n.dialLoop)
	n.start(n.syncer.loop)
	n.start(n.gossip.publishLoop)
	n.start(n.gossip.announceLoop)
	n.log.Info("listening for peers", "peer", n.id.String(), "addresses", n.Addrs())
	return nil
}

// start runs fn in a goroutine that Close waits for, unless the network is closing.
func (n *Network) start(fn func(ctx context.Context)) bool {
	if !n.begin() {
		return false
	}
	go func() {
		defer n.wg.Done()
		fn(n.ctx)
	}()
	return true
}

// begin counts the caller's work as some that Close waits for; wg.Done ends it.
func (n *Network) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.wg.Add(1)
	return true
}

// handler makes a stream handler of fn: it is waited for by Close, which
// resets its stream.
func (n *Network) handler(fn func(ctx context.Context, s network.Stream)) network.StreamHandler {
	return func(s network.Stream) {
		if !n.begin() {
			_ = s.ResetWithError(codeClosing)
			return
		}
		defer n.wg.Done()
		defer n.resetOnClose(s)()
		fn(n.ctx, s)
	}
}

// resetOnClose resets s when the network closes, until the result is called.
func (n *Network) resetOnClose(s network.Stream) (release func()) {
	stop := context.AfterFunc(n.ctx, func() { _ = s.ResetWithError(codeClosing) })
	return func() { stop() }
}

// Close ends all connections and waits for all goroutines. Calling it again
// returns nil.
func (n *Network) Close() error {
	var err error
	n.once.Do(func() {
		n.mu.Lock()
		n.closed = true
		n.mu.Unlock()
		n.cancel()
		if n.host != nil {
			if n.emitPeer != nil {
				_ = n.emitPeer.Close()
			}
			if n.mdns != nil {
				_ = n.mdns.Close()
			}
			if n.relay != nil {
				_ = n.relay.Close()
			}
			err = n.host.Close()
		}
		n.wg.Wait()
		if n.syncer != nil {
			err = errors.Join(err, n.syncer.saveAnchors())
		}
		n.metrics.unregister()
	})
	return err
}

// ID returns this node's peer ID.
func (n *Network) ID() peer.ID { return n.id }

// Addrs returns the multiaddrs at which this node can be reached, also by way
// of relays, each ending in its peer ID, sorted: what a ticket or another node's
// configuration names.
func (n *Network) Addrs() []string {
	suffix, err := multiaddr.NewComponent("p2p", n.id.String())
	if err != nil {
		panic(err) // a peer ID is always a p2p component
	}
	var addrs []string
	for _, a := range n.host.Addrs() {
		addrs = append(addrs, a.Encapsulate(suffix).String())
	}
	slices.Sort(addrs)
	return addrs
}

// ListenAddrs returns the multiaddrs on which this node listens, with the ports
// taken, sorted.
func (n *Network) ListenAddrs() []string {
	var addrs []string
	for _, a := range n.host.Network().ListenAddresses() {
		if _, err := manet.ToIP(a); err == nil { // else it is that of all relays
			addrs = append(addrs, a.String())
		}
	}
	slices.Sort(addrs)
	return addrs
}

// AddPeer connects to the peer at addr (see [ParsePeerAddr]) and keeps it
// connected while this process runs; once it synced it is remembered. It does
// not wait for the connection.
func (n *Network) AddPeer(addr string) error {
	info, err := ParsePeerAddr(addr)
	if err != nil {
		return err
	}
	if info.ID == n.id {
		return fmt.Errorf("%w: %q is this node's own", ErrAddress, addr)
	}
	if err := n.book.pin(info); err != nil {
		return err
	}
	n.host.ConnManager().Protect(info.ID, "book")
	return nil
}

// busyWait is how long Sync waits before it tries a busy peer again.
const busyWait = 50 * time.Millisecond

// Sync runs one sync session with every connected peer that may, or only with
// those named, after any that is under way, and returns when they are over.
// The error joins theirs.
func (n *Network) Sync(ctx context.Context, with ...peer.ID) error {
	if len(with) == 0 {
		for _, p := range n.host.Network().Peers() {
			if n.mayOpen(p) == nil {
				with = append(with, p)
			}
		}
	}
	errs := make([]error, len(with))
	var wg sync.WaitGroup
	for i, p := range with {
		wg.Go(func() {
			if !n.begin() {
				errs[i] = ErrClosed
				return
			}
			defer n.wg.Done()
			for {
				errs[i] = n.syncer.run(ctx, p)
				if !errors.Is(errs[i], ErrBusy) {
					return
				}
				select {
				case <-time.After(busyWait):
				case <-ctx.Done():
					errs[i] = ctx.Err()
					return
				case <-n.ctx.Done():
					errs[i] = ErrClosed
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// mayOpen reports whether this node opens a sync with p: it is admitted, or
// one that this node was told to connect to, and not banned.
func (n *Network) mayOpen(p peer.ID) error {
	err := n.admitted(p)
	if errors.Is(err, ErrNotEnrolled) && n.book.has(p) {
		return nil
	}
	return err
}

// shutOut ends a banned peer's connections and takes its pending ops out.
func (n *Network) shutOut(p peer.ID, _ time.Duration) {
	n.start(func(context.Context) {
		n.delivery.forget(p)
		for _, c := range n.host.Network().ConnsToPeer(p) {
			n.doors.good.drop(c.RemoteMultiaddr())
		}
		_ = n.host.Network().ClosePeer(p)
	})
}

// presented tells gossip that p may have become acceptable, or have accepted
// us, since it last tried: it then opens its streams again.
func (n *Network) presented(p peer.ID) {
	err := n.emitPeer.Emit(event.EvtPeerProtocolsUpdated{Peer: p, Added: n.gossip.protocols()})
	if err != nil {
		n.log.Debug("event bus is closed", "error", err)
	}
}
