package etcdgw

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// get fetches a page of the server.
func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestHealthPages(t *testing.T) {
	s := newSite(t)
	url := s.server.URLs()[0]
	for _, ready := range []bool{true, false} {
		s.notReady.Store(!ready)
		for _, tt := range []struct {
			path           string
			ready, unready string
			alwaysOK       bool
		}{
			{"/health", `{"health":"true","reason":""}`, `{"health":"false","reason":"RAFT NO LEADER"}` + "\n", false},
			{"/health?serializable=true", `{"health":"true","reason":""}`, `{"health":"true","reason":""}`, true},
			{"/livez", "ok\n", "ok\n", true},
			{"/livez?verbose", "[+]serializable_read ok\nok\n", "[+]serializable_read ok\nok\n", true},
			{"/livez/serializable_read", "ok\n", "ok\n", true},
			{"/readyz", "ok\n", "[+]data_corruption ok\n[-]linearizable_read failed: rpc error: code = Unavailable desc = etcdserver: no leader\n" +
				"[+]non_learner ok\n[+]serializable_read ok\n\n", false},
			{"/readyz?exclude=linearizable_read", "ok\n", "ok\n", true},
			{"/readyz/non_learner", "ok\n", "ok\n", true},
		} {
			code, body := get(t, url+tt.path)
			wantCode, wantBody := 200, tt.ready
			if !ready {
				wantBody = tt.unready
				if !tt.alwaysOK {
					wantCode = 503
				}
			}
			if code != wantCode || body != wantBody {
				t.Errorf("ready %v: GET %s = %d %q, want %d %q", ready, tt.path, code, body, wantCode, wantBody)
			}
		}
	}
	resp, err := http.Post(url+"/health", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET" {
		t.Errorf("POST /health = %d, allow %q, want 405, GET", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

func TestVersionPage(t *testing.T) {
	s := newSite(t)
	code, body := get(t, s.server.URLs()[0]+"/version")
	var v struct{ Etcdserver, Etcdcluster, Storage string }
	if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 {
		t.Fatalf("GET /version = %d %q, %v", code, body, err)
	}
	if v.Etcdserver != DefaultVersion || v.Etcdcluster != "3.6.0" || v.Storage != "3.6.0" {
		t.Errorf("GET /version = %q, want %s and 3.6.0", body, DefaultVersion)
	}
}

// TestMetrics checks the names that dashboards made for etcd look for, and what
// the gateway counts, on the client port and on a port of its own.
func TestMetrics(t *testing.T) {
	s := newSite(t, func(c *Config) { c.MetricsURLs = []string{"http://127.0.0.1:0"} })
	s.put(t, "a", "1")
	s.put(t, "b", "1")
	s.kv.Range(testContext(t), &pb.RangeRequest{})
	txn := &pb.TxnRequest{Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("a"), Value: []byte("1")}}},
		{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("a")}}},
		{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("c")}}},
	}}
	s.kv.Txn(testContext(t), txn)
	w := s.newWatch(t)
	w.create(&pb.WatchCreateRequest{Key: []byte("a")})
	w.recv()
	for _, url := range []string{s.server.URLs()[0], s.server.MetricsURLs()[0]} {
		code, body := get(t, url+"/metrics")
		if code != 200 {
			t.Fatalf("GET /metrics = %d", code)
		}
		lines := make(map[string]bool)
		for scan := bufio.NewScanner(strings.NewReader(body)); scan.Scan(); {
			lines[scan.Text()] = true
		}
		for _, want := range []string{
			"etcd_server_has_leader 1",
			"etcd_server_is_leader 1",
			`etcd_server_version{server_version="` + DefaultVersion + `"} 1`,
			"etcd_mvcc_db_total_size_in_bytes 4100",
			"etcd_mvcc_db_total_size_in_use_in_bytes 4",
			"etcd_debugging_mvcc_keys_total 2",
			"etcd_debugging_mvcc_current_revision 4",
			"etcd_debugging_mvcc_compact_revision 0",
			"etcd_debugging_mvcc_watcher_total 1",
			"etcd_debugging_mvcc_watch_stream_total 1",
			"etcd_server_proposals_applied_total 3",
			"etcd_server_proposals_committed_total 3",
			"etcd_mvcc_put_total 3",
			"etcd_mvcc_delete_total 1",
			"etcd_mvcc_range_total 1",
			"etcd_mvcc_txn_total 1",
			`etcd_server_id{server_id="a1"} 1`,
			`etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 4`,
			`grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 2`,
			`grpc_server_handled_total{grpc_code="InvalidArgument",grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1`,
			fmt.Sprint("etcd_network_client_grpc_received_bytes_total ", 17+proto.Size(txn)),
			`grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 1`,
			`grpc_server_msg_sent_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 1`,
		} {
			if !lines[want] {
				t.Errorf("GET %s/metrics lacks %q", url, want)
			}
		}
		for _, name := range []string{"go_goroutines", "process_open_fds"} {
			if !strings.Contains(body, "\n"+name+" ") {
				t.Errorf("GET %s/metrics lacks %s", url, name)
			}
		}
	}
	// The extra port serves no clients.
	if code, _ := get(t, s.server.MetricsURLs()[0]+"/health"); code != 200 {
		t.Errorf("GET /health on the metrics port = %d, want 200", code)
	}
}

// TestPprof checks that profiles are served where they are asked for, and only there.
func TestPprof(t *testing.T) {
	for _, enabled := range []bool{false, true} {
		s := newSite(t, func(c *Config) { c.EnablePprof = enabled })
		want := http.StatusNotFound
		if enabled {
			want = http.StatusOK
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
			if code, _ := get(t, s.server.URLs()[0]+path); code != want {
				t.Errorf("enabled %v: GET %s = %d, want %d", enabled, path, code, want)
			}
		}
	}
}

// TestSharedRegistry checks that a server adds its metrics to a registry that
// is in use, and says so if they are there already.
func TestSharedRegistry(t *testing.T) {
	cfg := testConfig().withDefaults()
	m := newSite(t).memory
	serve(t, cfg, m)
	if s, err := Listen(context.Background(), cfg, m); err == nil {
		s.closeListeners()
		t.Error("a second server on one registry = nil, want an error")
	}
}
