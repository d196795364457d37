package main

import (
	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/etcdgw"
	"github.com/causeway-sync/causeway/node"
)

// gatewayFlags adds etcd's flags for what clients may use, and returns what is
// to be called once they are parsed.
func gatewayFlags(c *cobra.Command, cfg *node.Config) (parsed func()) {
	f := c.Flags()
	f.Int64Var(&cfg.QuotaBackendBytes, "quota-backend-bytes", etcdgw.DefaultQuotaBytes, "bytes of live data and history that clients may store (negative: no bound)")
	f.StringVar(&cfg.AutoCompactionMode, "auto-compaction-mode", node.CompactPeriodic, "what auto-compaction-retention is: periodic (a time) or revision (a number of revisions)")
	f.StringVar(&cfg.AutoCompactionRetention, "auto-compaction-retention", "0", "history to keep, as 30m or 1000; hours if periodic and without a unit (0: all)")
	f.Uint32Var(&cfg.MaxConcurrentStreams, "max-concurrent-streams", 0, "streams that a client may have open on a connection (0: no bound)")
	f.DurationVar(&cfg.KeepAliveMinTime, "grpc-keepalive-min-time", etcdgw.DefaultKeepAliveMinTime, "least time between a client's pings")
	f.DurationVar(&cfg.KeepAliveInterval, "grpc-keepalive-interval", etcdgw.DefaultKeepAliveInterval, "idle time after which the server pings a client")
	f.DurationVar(&cfg.KeepAliveTimeout, "grpc-keepalive-timeout", etcdgw.DefaultKeepAliveTimeout, "wait for the answer before a connection is closed")
	f.StringSliceVar(&cfg.CORS, "cors", []string{"*"}, "origins from which browsers may send HTTP requests")
	f.StringSliceVar(&cfg.HostWhitelist, "host-whitelist", []string{"*"}, "host names that HTTP requests without TLS may name")
	f.BoolVar(&cfg.EnablePprof, "enable-pprof", false, "serve runtime profiles at /debug/pprof/ on the client and metrics URLs")
	gateway := f.Bool("enable-grpc-gateway", true, "serve the etcd API as JSON below /v3/ on the client URLs")
	return func() { cfg.DisableJSONGateway = !*gateway }
}
