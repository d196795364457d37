package node

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/causeway-sync/causeway/etcdgw"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/p2p"
)

// Config configures a node. The zero value of a field is its default.
type Config struct {
	// DataDir holds the keys, the store and the admin socket. Required.
	DataDir string
	// Name is the etcd member name. Default "default", as etcd's.
	Name string

	// ListenClientURLs, AdvertiseClientURLs and ListenMetricsURLs are as etcd's flags of
	// those names. Default of the first: http://127.0.0.1:2379.
	ListenClientURLs    []string
	AdvertiseClientURLs []string
	ListenMetricsURLs   []string
	// TLS serves https client URLs.
	TLS etcdgw.TLS
	// MaxRequestBytes and MaxTxnOps are as etcd's flags; 0 is etcd's default.
	MaxRequestBytes int
	MaxTxnOps       int
	// ProgressNotifyInterval is as etcd's --watch-progress-notify-interval; 0 is etcd's default.
	ProgressNotifyInterval time.Duration
	// BcryptCost and AuthTokenTTL are as etcd's --bcrypt-cost and --auth-token-ttl;
	// 0 is etcd's default.
	BcryptCost   int
	AuthTokenTTL time.Duration

	// QuotaBackendBytes is as etcd's --quota-backend-bytes, but bounds live data
	// and history, less what others left there, as mvcc.Stats counts them: 0 is etcdgw.DefaultQuotaBytes,
	// a negative one no bound.
	QuotaBackendBytes int64
	// AutoCompactionMode and AutoCompactionRetention are as etcd's flags; the
	// default of the first is CompactPeriodic, that of the second no compaction.
	AutoCompactionMode, AutoCompactionRetention string

	// MaxConcurrentStreams, KeepAliveMinTime, KeepAliveInterval and
	// KeepAliveTimeout are as etcd's --max-concurrent-streams and
	// --grpc-keepalive-*; 0 is etcd's default.
	MaxConcurrentStreams                                  uint32
	KeepAliveMinTime, KeepAliveInterval, KeepAliveTimeout time.Duration
	// DisableJSONGateway, CORS, HostWhitelist and EnablePprof are as etcd's
	// --enable-grpc-gateway=false, --cors, --host-whitelist and --enable-pprof.
	DisableJSONGateway, EnablePprof bool
	CORS, HostWhitelist             []string

	// ListenPeerAddrs are multiaddrs to listen on for other nodes. nil is
	// loopback, TCP and QUIC, on ports the system chooses at the first start and
	// that are kept while they are free: peers remember them.
	ListenPeerAddrs []string
	// Peers are multiaddrs, each ending in /p2p/<peer ID>, to keep connected with.
	Peers []string
	// AdvertisePeerAddrs, Relays, RelayService, HolePunching, MDNS and
	// NoPeerExchange are as Advertise and those names in p2p.Config.
	AdvertisePeerAddrs, Relays                       []string
	RelayService, HolePunching, MDNS, NoPeerExchange bool

	// ReserveDiskBytes and ReserveMemoryBytes are what operations of forkers and of
	// revoked authors leave free, in bytes (docs/p2p.md, section 12): 0 is a part
	// of the file system and of the memory, a negative one nothing. The first is at least
	// twice commit.LowSpace.
	ReserveDiskBytes, ReserveMemoryBytes int64

	// RotateWait bounds the random time that the node waits before it rotates a
	// key that writes elsewhere, too. Default: commit.DefaultRotateWait.
	RotateWait time.Duration

	// Version is the program's, for status.
	Version string
	// Logger defaults to discarding.
	Logger *slog.Logger
}

// DefaultClientURL is where clients are served unless told otherwise.
const DefaultClientURL = "http://127.0.0.1:2379"

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "default"
	}
	if len(c.ListenClientURLs) == 0 {
		c.ListenClientURLs = []string{DefaultClientURL}
	}
	if c.AutoCompactionMode == "" {
		c.AutoCompactionMode = CompactPeriodic
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate checks what can be checked before anything is written or opened.
// The error wraps ErrConfig or etcdgw.ErrConfig.
func (c Config) Validate() error {
	c = c.withDefaults()
	if c.DataDir == "" {
		return fmt.Errorf("%w: no data directory", ErrConfig)
	}
	if err := p2p.CheckAddrs(c.ListenPeerAddrs, c.Peers); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := p2p.CheckReach(c.AdvertisePeerAddrs, c.Relays); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.ReserveDiskBytes > 0 && c.ReserveDiskBytes < leastReserveDisk {
		return fmt.Errorf("%w: a reserve of %d bytes of disk, at least %d: at %d own clients are refused", ErrConfig, c.ReserveDiskBytes, leastReserveDisk, commit.LowSpace)
	}
	if _, err := parseRetention(c.AutoCompactionMode, c.AutoCompactionRetention); err != nil {
		return err
	}
	return c.gateway(1, 1).Validate()
}

// quota returns the bytes that clients may store, 0 for no bound.
func (c Config) quota() int64 {
	if c.QuotaBackendBytes == 0 {
		return etcdgw.DefaultQuotaBytes
	}
	return max(c.QuotaBackendBytes, 0)
}

// gateway returns the gateway's part of the configuration.
func (c Config) gateway(clusterID, memberID uint64) etcdgw.Config {
	return etcdgw.Config{
		ClientURLs: c.ListenClientURLs, AdvertiseClientURLs: c.AdvertiseClientURLs, MetricsURLs: c.ListenMetricsURLs,
		TLS: c.TLS, ClusterID: clusterID, MemberID: memberID, Name: c.Name,
		MaxRequestBytes: c.MaxRequestBytes, MaxTxnOps: c.MaxTxnOps, ProgressNotifyInterval: c.ProgressNotifyInterval,
		MaxConcurrentStreams: c.MaxConcurrentStreams,
		KeepAliveMinTime:     c.KeepAliveMinTime, KeepAliveInterval: c.KeepAliveInterval, KeepAliveTimeout: c.KeepAliveTimeout,
		DisableJSONGateway: c.DisableJSONGateway, EnablePprof: c.EnablePprof, CORS: c.CORS, HostWhitelist: c.HostWhitelist,
		BcryptCost: c.BcryptCost, AuthTokenTTL: c.AuthTokenTTL, TempDir: c.DataDir,
	}
}
