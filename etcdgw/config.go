package etcdgw

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"

	"github.com/causeway-sync/causeway/etcdgw/auth"
)

// Defaults of [Config]; those that etcd has are etcd's.
const (
	DefaultMaxRequestBytes        = 1536 * 1024      // bytes of one write
	DefaultMaxTxnOps              = 128              // operations in one branch of a transaction
	DefaultKeepAliveMinTime       = 5 * time.Second  // least time between a client's pings
	DefaultKeepAliveInterval      = 2 * time.Hour    // idle time before the server pings
	DefaultKeepAliveTimeout       = 20 * time.Second // wait for the answer of a ping
	DefaultProgressNotifyInterval = 10 * time.Minute // between progress notifications of a watch
	DefaultQuotaBytes             = 2 << 30          // bytes that clients may store
	DefaultVersion                = "3.6.8"          // etcd version reported to clients
)

// MinProgressNotifyInterval is the least interval of progress notifications;
// smaller ones are raised to it, as in etcd.
const MinProgressNotifyInterval = 100 * time.Millisecond

// grpcOverheadBytes is how much larger than MaxRequestBytes a received message
// may be (reads are not held to MaxRequestBytes). It is etcd's value.
const grpcOverheadBytes = 512 * 1024

// raftTerm is the term in every response header. There are no elections, so it
// never changes.
const raftTerm = 1

// Config configures a [Server]. The zero value of a field is its default.
type Config struct {
	// ClientURLs are the URLs to listen on, at least one: http, https, unix
	// or unixs, as etcd's --listen-client-urls. Port 0 takes a free one.
	ClientURLs []string
	// AdvertiseClientURLs are the URLs that MemberList names. Default: those
	// listened on.
	AdvertiseClientURLs []string
	// MetricsURLs are further URLs that serve HTTP only: metrics and health, as
	// etcd's --listen-metrics-urls. None by default. An https one asks for no
	// client certificate only if the client URLs do not.
	MetricsURLs []string
	// EnablePprof serves runtime profiles at /debug/pprof/ on all URLs: whoever
	// may connect sees what the process does.
	EnablePprof bool
	// TLS is needed by https and unixs URLs.
	TLS TLS
	// DisableJSONGateway leaves out the JSON gateway below /v3/.
	DisableJSONGateway bool
	// CORS are the origins that browsers may send requests from, HostWhitelist
	// the host names that HTTP requests in plain text may name; "*" stands for
	// all, which is the default of both, as in etcd.
	CORS, HostWhitelist []string

	// ClusterID, MemberID and Name identify this one-member cluster. The IDs
	// must not be 0; Name must not be empty.
	ClusterID, MemberID uint64
	Name                string
	// Version is the etcd version to report, as "3.6.8". Clients decide by it
	// what they may ask for.
	Version string

	// AuthStorage keeps users and roles. Default: they live as long as the server.
	AuthStorage auth.Storage
	// BcryptCost is the cost of hashing passwords, from 4 to 31. Default: 10.
	BcryptCost int
	// AuthTokenTTL is how long a token of a user lasts after its last use.
	// Default: auth.DefaultTokenTTL.
	AuthTokenTTL time.Duration

	// MaxRequestBytes bounds one write, MaxTxnOps the operations in it.
	MaxRequestBytes int
	MaxTxnOps       int
	// MaxConcurrentStreams bounds the streams of one connection. Default: no
	// bound but the protocol's, as in etcd.
	MaxConcurrentStreams uint32
	// KeepAliveMinTime is the least time between a client's pings; a client
	// that pings faster is disconnected. KeepAliveInterval and KeepAliveTimeout
	// are those of the server's own pings.
	KeepAliveMinTime, KeepAliveInterval, KeepAliveTimeout time.Duration
	// ProgressNotifyInterval is the time between progress notifications of a
	// watch that asked for them and sees no events. Up to a tenth is added at
	// random.
	ProgressNotifyInterval time.Duration

	// TempDir is where snapshots are built before they are sent. Default: the
	// system's directory for temporary files.
	TempDir string
	// Logger receives what an operator should know. Default: none.
	Logger *slog.Logger
	// Metrics is where the server registers its metrics and what /metrics
	// shows. Default: a registry of its own.
	Metrics *prometheus.Registry
	// Now is the clock by which leases are renewed and shown; it must be the
	// backend's. Default: time.Now.
	Now func() time.Time
}

// Validate checks the configuration. Errors wrap [ErrConfig].
func (c Config) Validate() error {
	c = c.withDefaults()
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrConfig, fmt.Errorf(format, args...))
	}
	if len(c.ClientURLs) == 0 {
		return fail("no client URL to listen on")
	}
	for _, list := range [][]string{c.ClientURLs, c.MetricsURLs} {
		for _, text := range list {
			u, err := parseListenURL(text)
			if err != nil {
				return fail("%w", err)
			}
			if u.secure && (c.TLS.CertFile == "" || c.TLS.KeyFile == "") {
				return fail("%s needs a certificate and a key file", text)
			}
		}
	}
	for _, text := range c.AdvertiseClientURLs {
		if _, err := parseURL(text); err != nil {
			return fail("%w", err)
		}
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		return fail("a certificate file and a key file must be given together")
	}
	if c.TLS.ClientCertAuth && c.TLS.CertFile == "" {
		return fail("client certificate authentication needs a certificate and a key file")
	}
	switch {
	case c.ClusterID == 0 || c.MemberID == 0:
		return fail("cluster ID and member ID must not be 0")
	case c.Name == "":
		return fail("the member has no name")
	case c.MaxRequestBytes < 0 || c.MaxRequestBytes > math.MaxInt32-grpcOverheadBytes:
		return fail("max request bytes %d out of range", c.MaxRequestBytes)
	case c.BcryptCost != 0 && (c.BcryptCost < bcrypt.MinCost || c.BcryptCost > bcrypt.MaxCost):
		return fail("bcrypt cost %d is not between %d and %d", c.BcryptCost, bcrypt.MinCost, bcrypt.MaxCost)
	case c.AuthTokenTTL < 0:
		return fail("auth token TTL %v is negative", c.AuthTokenTTL)
	case c.MaxTxnOps < 0:
		return fail("max txn ops %d out of range", c.MaxTxnOps)
	case c.KeepAliveMinTime < 0 || c.KeepAliveInterval < 0 || c.KeepAliveTimeout < 0 || c.ProgressNotifyInterval < 0:
		return fail("intervals must not be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxRequestBytes, DefaultMaxRequestBytes)
	setDefault(&c.MaxTxnOps, DefaultMaxTxnOps)
	setDefault(&c.MaxConcurrentStreams, math.MaxUint32)
	setDefault(&c.KeepAliveMinTime, DefaultKeepAliveMinTime)
	setDefault(&c.KeepAliveInterval, DefaultKeepAliveInterval)
	setDefault(&c.KeepAliveTimeout, DefaultKeepAliveTimeout)
	setDefault(&c.ProgressNotifyInterval, DefaultProgressNotifyInterval)
	if c.ProgressNotifyInterval > 0 {
		c.ProgressNotifyInterval = max(c.ProgressNotifyInterval, MinProgressNotifyInterval)
	}
	if len(c.CORS) == 0 {
		c.CORS = []string{"*"}
	}
	if len(c.HostWhitelist) == 0 {
		c.HostWhitelist = []string{"*"}
	}
	setDefault(&c.Version, DefaultVersion)
	setDefault(&c.Logger, slog.New(slog.DiscardHandler))
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
