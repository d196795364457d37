package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"

	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/etcdgw"
	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/p2p"
)

func newServe(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the node of a data directory",
		Long: `Serve runs the node whose data directory is given, until it is told to stop by
SIGINT or SIGTERM, and serves its state through the etcd v3 API. On an empty
or missing directory it founds a mesh of one. A node that has joined a mesh
serves no client until its first sync is complete.

Flags that mean what a flag of etcd means carry its name.`,
		Example: `  causeway serve
  causeway serve --data-dir b --listen-client-urls http://127.0.0.1:22379
  causeway serve --listen-peer-addrs /ip4/0.0.0.0/udp/7600/quic-v1,/ip4/0.0.0.0/tcp/7600
  causeway serve --peers /dns4/site-a.example/tcp/7600/p2p/12D3KooW… --relays /dns4/relay.example/tcp/4001/p2p/12D3KooW…
  causeway serve --listen-client-urls https://0.0.0.0:2379 --cert-file server.crt --key-file server.key`,
		Args: exactly(0, ""),
	}
	cfg := node.Config{Version: readVersion().Version}
	f := c.Flags()
	f.StringVar(&cfg.DataDir, "data-dir", defaultDataDir, "directory that holds the node's keys and log")
	f.StringVar(&cfg.Name, "name", "default", "name of this member, as clients see it")
	f.StringSliceVar(&cfg.ListenClientURLs, "listen-client-urls", []string{node.DefaultClientURL}, "URLs on which clients are served")
	f.StringSliceVar(&cfg.AdvertiseClientURLs, "advertise-client-urls", nil, "URLs told to clients (default those listened on)")
	f.StringSliceVar(&cfg.ListenMetricsURLs, "listen-metrics-urls", nil, "further URLs for /metrics and /health")
	peerFlagsParsed := peerFlags(c, &cfg)
	f.StringVar(&cfg.TLS.CertFile, "cert-file", "", "certificate for https client URLs")
	f.StringVar(&cfg.TLS.KeyFile, "key-file", "", "its private key")
	f.StringVar(&cfg.TLS.ClientCAFile, "trusted-ca-file", "", "authorities that client certificates must come from")
	f.BoolVar(&cfg.TLS.ClientCertAuth, "client-cert-auth", false, "demand a client certificate")
	f.IntVar(&cfg.MaxRequestBytes, "max-request-bytes", etcdgw.DefaultMaxRequestBytes, "largest client request, in bytes")
	f.IntVar(&cfg.MaxTxnOps, "max-txn-ops", etcdgw.DefaultMaxTxnOps, "most operations in a transaction")
	f.DurationVar(&cfg.ProgressNotifyInterval, "watch-progress-notify-interval", etcdgw.DefaultProgressNotifyInterval, "interval of watch progress notifications")
	f.Int64Var(&cfg.ReserveDiskBytes, "reserve-disk-bytes", 0, "bytes of the data directory's file system that operations of forkers and revoked nodes leave free (0: a tenth, 1 to 16 GiB, less on a small one; negative: none)")
	f.Int64Var(&cfg.ReserveMemoryBytes, "reserve-memory-bytes", 0, "bytes of memory that these leave free (0: a tenth, at most 1 GiB; negative: none)")
	gatewayFlagsParsed := gatewayFlags(c, &cfg)
	authToken := f.String("auth-token", authTokenSimple, "kind of the tokens that users get; there is one kind")
	f.IntVar(&cfg.BcryptCost, "bcrypt-cost", bcrypt.DefaultCost, "cost of hashing users' passwords, from 4 to 31")
	tokenTTL := f.Uint32("auth-token-ttl", uint32(auth.DefaultTokenTTL/time.Second), "seconds that a user's token lasts after its last use")
	logger := logFlags(c, std.err)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *authToken != authTokenSimple {
			return usageError{fmt.Errorf("--auth-token %q is not %s", *authToken, authTokenSimple)}
		}
		gatewayFlagsParsed()
		peerFlagsParsed()
		cfg.AuthTokenTTL = time.Duration(*tokenTTL) * time.Second
		var err error
		if cfg.Logger, err = logger(); err != nil {
			return err
		}
		return explain(node.Run(cmd.Context(), cfg, nil), cfg.DataDir)
	}
	return c
}

// authTokenSimple is the only kind of token: a secret that the node remembers.
const authTokenSimple = "simple"

// explain gives errors that people meet a text in their terms, and marks those
// that the command line is to blame for.
func explain(err error, dataDir string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, leveldb.ErrLocked):
		return fmt.Errorf("data directory %s is in use by another process", dataDir)
	case errors.Is(err, node.ErrConfig), errors.Is(err, etcdgw.ErrConfig), errors.Is(err, p2p.ErrConfig):
		return usageError{err}
	}
	return err
}

// logFlags adds --log-level and --log-format and returns what makes the logger.
func logFlags(c *cobra.Command, w io.Writer) func() (*slog.Logger, error) {
	level := c.Flags().String("log-level", "info", "least level to log: debug, info, warn or error")
	kind := c.Flags().String("log-format", "text", "form of the log: text or json")
	return func() (*slog.Logger, error) {
		var l slog.Level
		if err := l.UnmarshalText([]byte(*level)); err != nil {
			return nil, usageError{fmt.Errorf("--log-level %q is not debug, info, warn or error", *level)}
		}
		opts := &slog.HandlerOptions{Level: l}
		switch *kind {
		case "text":
			return slog.New(slog.NewTextHandler(w, opts)), nil
		case "json":
			return slog.New(slog.NewJSONHandler(w, opts)), nil
		}
		return nil, usageError{fmt.Errorf("--log-format %q is not text or json", *kind)}
	}
}
