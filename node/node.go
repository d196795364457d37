package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/etcdgw"
	"github.com/causeway-sync/causeway/etcdgw/kube"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/p2p"
)

// Node is a running node. Its methods are safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	mesh    dag.ID
	self    identity.PublicKey

	keys // of pipeline

	store    *leveldb.Store
	pipeline *commit.Pipeline
	network  *p2p.Network
	gateway  *etcdgw.Server
	admin    *admin.Server
	serving  sync.WaitGroup // the gateway's

	compacting     sync.WaitGroup     // the compactor's
	stopCompacting context.CancelFunc // nil before it runs

	parting     sync.WaitGroup     // part's
	stopParting context.CancelFunc // ends part
	rotated     chan struct{}      // filled once, when the key was rotated

	closeOnce sync.Once
	closeErr  error
	failed    chan struct{} // closed when the node stops by itself
	failOnce  sync.Once
	failure   error // read after failed
}

// Open starts the node in cfg.DataDir, which it locks. On an empty directory
// it founds a mesh of one. When it returns, clients can connect; a joined node
// refuses their requests until its first synchronisation is complete. ctx
// bounds the start only. Errors: ErrConfig, ErrIncomplete, leveldb.ErrLocked, a
// *dag.CorruptError, what listening returns.
func Open(ctx context.Context, cfg Config) (_ *Node, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Logger, started: time.Now(), failed: make(chan struct{}), rotated: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if n.store, err = openStore(cfg.DataDir); err != nil {
		return nil, err
	}
	key, err := n.openPipeline(registry)
	if err != nil {
		return nil, err
	}
	registry.MustRegister(n.forkedAuthors(), conflictCollector{n.pipeline.View()})
	if err := n.openGateway(ctx, registry); err != nil {
		return nil, err
	}
	if err := n.startCompacting(); err != nil {
		return nil, err
	}
	err = n.openNetwork(ctx, p2p.Config{
		Key: key, Mesh: n.mesh, Backend: n.pipeline, Meta: n.store,
		Listen: cfg.ListenPeerAddrs, Peers: cfg.Peers, Logger: n.log, Registerer: registry,
		Advertise: cfg.AdvertisePeerAddrs, Relays: cfg.Relays, RelayService: cfg.RelayService, HolePunching: cfg.HolePunching,
		MDNS: cfg.MDNS, NoPeerExchange: cfg.NoPeerExchange, Spaces: cfg.spaces(),
	})
	if err != nil {
		return nil, err
	}
	n.startParting()
	if n.admin, err = admin.Serve(ctx, cfg.DataDir, n, n.log); err != nil {
		return nil, err
	}
	n.serve() // last: whoever is answered finds the rest of the node there
	return n, nil
}

// openPipeline reads the node's mesh and opens its log, or founds a mesh if the
// directory is new. It returns the node's key, and brings a rotation to its end.
func (n *Node) openPipeline(registry *prometheus.Registry) (*identity.PrivateKey, error) {
	mesh, ok, err := readMesh(n.store)
	if err != nil {
		return nil, err
	}
	if !ok {
		if mesh, err = found(n.store, n.cfg.DataDir, InitOptions{}, 0); err != nil {
			return nil, err
		}
		n.log.Info("founded a mesh of one", "mesh", mesh)
	}
	files := nodeKeys{n.cfg.DataDir}
	key, next, err := files.read()
	if err != nil {
		return nil, err
	}
	n.pipeline, err = commit.Open(commit.Config{
		Store: n.store, Key: key, Next: next, NextKey: files.makeNext, Mesh: mesh, Logger: n.log,
		Metrics: commit.NewMetrics(registry), OnFatal: n.fail, OnRotate: func() { n.rotated <- struct{}{} }, RotateWait: n.cfg.RotateWait,
		Quota: n.cfg.quota(), MemberID: memberID, FreeSpace: n.freeSpace,
		Values: kube.NewCatalog(func(key []byte) ([]byte, bool) { return n.pipeline.View().Latest(key) }),
	})
	if err != nil {
		return nil, err
	}
	n.mesh, n.self, n.keys = mesh, n.pipeline.Key(), keys{n.pipeline}
	if n.self == key.Public() {
		return key, files.dropNext()
	}
	return next, n.finishRotation(files)
}

// freeSpace returns how many bytes are free for the log.
func (n *Node) freeSpace() (int64, error) {
	free, _, err := fileSystem(n.cfg.DataDir)
	return free, err
}

// openGateway listens for clients, who wait until serve is called.
func (n *Node) openGateway(ctx context.Context, registry *prometheus.Registry) (err error) {
	cfg := n.cfg.gateway(clusterID(n.self, n.mesh), memberID(n.self))
	cfg.Logger, cfg.Metrics = n.log, registry
	cfg.AuthStorage = authStorage{n.store}
	n.gateway, err = etcdgw.Listen(ctx, cfg, gatewayBackend{n})
	return err
}

// startCompacting starts the automatic compaction, if it is on.
func (n *Node) startCompacting() error {
	keep, err := parseRetention(n.cfg.AutoCompactionMode, n.cfg.AutoCompactionRetention)
	if err != nil || keep == (retention{}) {
		return err
	}
	c := compactor{
		keep: keep, ready: n.pipeline.Ready, revision: n.pipeline.View().Revision, log: n.log,
		compact: func(ctx context.Context, rev int64) error {
			_, err := n.pipeline.Submit(ctx, &pb.CompactionRequest{Revision: rev})
			return err
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stopCompacting = cancel
	n.compacting.Go(func() { c.run(ctx) })
	return nil
}

// serve serves clients; until the pipeline is ready they are refused.
func (n *Node) serve() {
	n.serving.Go(func() {
		if err := n.gateway.Serve(); !errors.Is(err, etcdgw.ErrClosed) {
			n.fail(fmt.Errorf("gateway: %w", err))
		}
	})
}

// memberID and clusterID are what etcd clients see. Each node is a cluster of
// its own to them: revisions of different nodes must not be compared.
func memberID(node identity.PublicKey) uint64 { return nonZero(binary.BigEndian.Uint64(node[:])) }

func clusterID(node identity.PublicKey, mesh dag.ID) uint64 {
	return nonZero(binary.BigEndian.Uint64(mesh[:]) ^ binary.BigEndian.Uint64(node[8:]))
}

func nonZero(id uint64) uint64 { return max(id, 1) }

// fail records why the node stops by itself and wakes whoever waits on Done.
func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.failure = err
		close(n.failed)
	})
}

// Done is closed if the node stops by itself, after a storage failure for
// instance. The caller still closes it.
func (n *Node) Done() <-chan struct{} { return n.failed }

// Err returns why the node stopped by itself, nil if it did not.
func (n *Node) Err() error {
	select {
	case <-n.failed:
		return n.failure
	default:
		return nil
	}
}

// Ready is closed once clients are served.
func (n *Node) Ready() <-chan struct{} { return n.pipeline.ReadyCh() }

// ClientURLs returns the URLs on which clients are served, with the ports taken.
func (n *Node) ClientURLs() []string { return n.gateway.URLs() }

// PeerAddrs returns the multiaddrs on which other nodes reach this one.
func (n *Node) PeerAddrs() []string { return n.network.Addrs() }

// Key returns the node's public key.
func (n *Node) Key() identity.PublicKey { return n.self }

// Cut cuts the node from a peer, or mends that: see p2p.Network.Cut.
func (n *Node) Cut(peer identity.PublicKey, cut bool) error { return n.network.Cut(peer, cut) }

// Close stops serving clients, seals and makes durable what was answered, and
// releases the data directory. Closing again returns the same.
func (n *Node) Close() error {
	n.closeOnce.Do(func() { n.closeErr = n.close() })
	return n.closeErr
}

// shutdownTimeout bounds how long requests at work may take to finish.
const shutdownTimeout = 5 * time.Second

func (n *Node) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	step := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if n.admin != nil {
		step("admin socket", n.admin.Close())
	}
	if n.stopCompacting != nil {
		n.stopCompacting()
		n.compacting.Wait()
	}
	if n.gateway != nil {
		if err := n.gateway.Shutdown(ctx); err != nil {
			n.log.Warn("requests at work were cut off by the shutdown", "err", err)
		}
		n.serving.Wait()
	}
	if n.stopParting != nil {
		n.stopParting()
		n.parting.Wait()
	}
	if n.network != nil {
		step("network", n.network.Close())
	}
	if n.pipeline != nil {
		_ = n.pipeline.Close() // its own failure is reported by Done and Err
	}
	if n.store != nil {
		step("store", n.store.Close())
	}
	return errors.Join(errs...)
}
