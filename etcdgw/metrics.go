package etcdgw

import (
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// metrics are the server's metrics. They carry etcd's names where they mean the
// same, so that dashboards made for etcd work, and causeway_ names elsewhere.
type metrics struct {
	registry *prometheus.Registry

	started, received, sent, handled *prometheus.CounterVec
	clientRequests                   *prometheus.CounterVec
	streamFailures                   *prometheus.CounterVec
	receivedBytes, sentBytes         prometheus.Counter
	ranges, puts, deletes, txns      prometheus.Counter
	leaseGranted                     prometheus.Counter
	leaseRevoked                     prometheus.Counter
	leaseRenewed                     prometheus.Counter
	healthSuccess, healthFailure     prometheus.Counter
	healthcheck                      *prometheus.GaugeVec
	healthchecks                     *prometheus.CounterVec

	// methods holds the counters of each method by its full name, so that a
	// request costs no lookup by labels. It is complete before the first request.
	methods map[string]*methodMetrics
	// versions likewise, for each kind of call and known client API version.
	versions map[clientKind]prometheus.Counter
}

type clientKind struct {
	stream  bool
	version string
}

// methodMetrics counts the calls of one method.
type methodMetrics struct {
	handled                     *prometheus.CounterVec // by code, curried
	ok, started, received, sent prometheus.Counter
	// ungated methods answer before the backend is ready.
	ungated bool
}

// done counts one call that ended with the code.
func (m *methodMetrics) done(code codes.Code) {
	if code == codes.OK {
		m.ok.Inc()
		return
	}
	m.handled.WithLabelValues(code.String()).Inc()
}

// otherVersion stands for the client API versions that no etcd client sends:
// clients must not be able to make up label values.
const otherVersion = "other"

// unknownVersion is etcd's label for clients that send no version.
const unknownVersion = "unknown"

func newMetrics(cfg Config, b Backend) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	rpc := []string{"grpc_type", "grpc_service", "grpc_method"}
	m := &metrics{
		registry:       cfg.Metrics,
		started:        counters("grpc_server_started_total", "RPCs started on the server.", rpc...),
		received:       counters("grpc_server_msg_received_total", "RPC messages received on the server.", rpc...),
		sent:           counters("grpc_server_msg_sent_total", "RPC messages sent by the server.", rpc...),
		handled:        counters("grpc_server_handled_total", "RPCs completed on the server, whatever their outcome.", append(rpc, "grpc_code")...),
		clientRequests: counters("etcd_server_client_requests_total", "Client requests by client API version.", "type", "client_api_version"),
		streamFailures: counters("etcd_network_server_stream_failures_total", "Stream failures on the server.", "Type", "API"),
		receivedBytes:  counter("etcd_network_client_grpc_received_bytes_total", "Bytes of the messages received from gRPC clients."),
		sentBytes:      counter("etcd_network_client_grpc_sent_bytes_total", "Bytes of the messages sent to gRPC clients."),
		ranges:         counter("etcd_mvcc_range_total", "Ranges read, those of transactions included."),
		puts:           counter("etcd_mvcc_put_total", "Puts made by clients, those of transactions included."),
		deletes:        counter("etcd_mvcc_delete_total", "Deletes of a key or range made by clients, those of transactions included."),
		txns:           counter("etcd_mvcc_txn_total", "Transactions of more than one operation."),
		leaseGranted:   counter("etcd_debugging_lease_granted_total", "Leases granted."),
		leaseRevoked:   counter("etcd_debugging_lease_revoked_total", "Leases revoked by clients."),
		leaseRenewed:   counter("etcd_debugging_lease_renewed_total", "Leases renewed."),
		healthSuccess:  counter("etcd_server_health_success", "Successful health checks."),
		healthFailure:  counter("etcd_server_health_failures", "Failed health checks."),
		healthcheck: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "etcd_server_healthcheck", Help: "The last result of each kind of health check."}, []string{"type", "name"}),
		healthchecks: counters("etcd_server_healthchecks_total", "Health checks by kind and result.", "type", "name", "status"),
		methods:      make(map[string]*methodMetrics),
		versions:     make(map[clientKind]prometheus.Counter),
	}
	for _, stream := range []bool{false, true} {
		kind := "unary"
		if stream {
			kind = "stream"
		}
		versions := []string{unknownVersion, otherVersion}
		for minor := range 10 {
			versions = append(versions, "3."+strconv.Itoa(minor))
		}
		for _, v := range versions {
			m.versions[clientKind{stream, v}] = m.clientRequests.WithLabelValues(kind, v)
		}
	}

	version := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "etcd_server_version", Help: "The etcd version reported to clients."}, []string{"server_version"})
	version.WithLabelValues(cfg.Version).Set(1)
	goVersion := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "etcd_server_go_version", Help: "The version of Go that the program was built with."}, []string{"server_go_version"})
	goVersion.WithLabelValues(runtime.Version()).Set(1)
	id := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "etcd_server_id", Help: "The member ID, in hexadecimal."}, []string{"server_id"})
	id.WithLabelValues(strconv.FormatUint(cfg.MemberID, 16)).Set(1)

	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		// The node may share its registry and have registered them already.
		if err := cfg.Metrics.Register(c); err != nil && !isRegistered(err) {
			return nil, err
		}
	}
	for _, c := range []prometheus.Collector{
		m.started, m.received, m.sent, m.handled, m.clientRequests, m.streamFailures, m.receivedBytes, m.sentBytes,
		m.ranges, m.puts, m.deletes, m.txns,
		m.leaseGranted, m.leaseRevoked, m.leaseRenewed,
		m.healthSuccess, m.healthFailure, m.healthcheck, m.healthchecks, version, goVersion, id,
		stateCollector{b},
	} {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// countOps counts the operations of a transaction and returns how many there were.
func (m *metrics) countOps(t *pb.TxnResponse) (n int) {
	for _, op := range t.GetResponses() {
		switch op.GetResponse().(type) {
		case *pb.ResponseOp_ResponseRange:
			m.ranges.Inc()
		case *pb.ResponseOp_ResponsePut:
			m.puts.Inc()
		case *pb.ResponseOp_ResponseDeleteRange:
			m.deletes.Inc()
		case *pb.ResponseOp_ResponseTxn:
			n += m.countOps(op.GetResponseTxn())
			continue
		}
		n++
	}
	return n
}

func isRegistered(err error) bool {
	_, ok := err.(prometheus.AlreadyRegisteredError)
	return ok
}

// addMethods prepares the counters of every method of the server.
func (m *metrics) addMethods(services map[string]grpc.ServiceInfo) {
	for service, info := range services {
		for _, method := range info.Methods {
			labels := []string{streamKind(method.IsClientStream, method.IsServerStream), service, method.Name}
			handled := m.handled.MustCurryWith(prometheus.Labels{
				"grpc_type": labels[0], "grpc_service": service, "grpc_method": method.Name})
			m.methods["/"+service+"/"+method.Name] = &methodMetrics{
				handled:  handled,
				ok:       handled.WithLabelValues(codes.OK.String()),
				started:  m.started.WithLabelValues(labels...),
				received: m.received.WithLabelValues(labels...),
				sent:     m.sent.WithLabelValues(labels...),
				ungated:  service == healthService,
			}
		}
	}
}

func streamKind(client, server bool) string {
	switch {
	case client && server:
		return "bidi_stream"
	case client:
		return "client_stream"
	case server:
		return "server_stream"
	default:
		return "unary"
	}
}
