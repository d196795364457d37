package etcdgw

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// httpClient is an HTTP client that leaves no connection behind.
var httpClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// post sends JSON to the server.
func (s *site) post(t *testing.T, path, body string) (resp *http.Response, text string) {
	t.Helper()
	return s.do(t, http.MethodPost, path, body)
}

func (s *site) do(t *testing.T, method, path, body string, header ...string) (resp *http.Response, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, s.server.URLs()[0]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	if resp, err = httpClient.Do(req); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, compact(string(b))
}

// compact removes the blanks that protojson adds to one build in two, so that
// nobody relies on its bytes.
func compact(body string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(body)) != nil {
		return body
	}
	return b.String()
}

// TestJSONGateway compares whole answers with those that an etcd 3.6.16 gave to
// the same requests, in this order.
func TestJSONGateway(t *testing.T) {
	s := newSite(t)
	header := `{"header":{"cluster_id":"193","member_id":"161","revision":"R","raft_term":"1"}`
	at := func(revision string) string { return strings.Replace(header, "R", revision, 1) }
	for _, tt := range []struct {
		path, body string
		code       int
		want       string
	}{
		{"/v3/kv/put", `{"key":"Zm9v","value":"YmFy"}`, 200, at("2") + `}`},
		{"/v3/kv/put", `{"key":"Zm9v","value":"YmFy","prev_kv":true}`, 200,
			at("3") + `,"prev_kv":{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"}}`},
		{"/v3/kv/range", `{"key":"Zm9v"}`, 200,
			at("3") + `,"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"3","version":"2","value":"YmFy"}],"count":"1"}`},
		{"/v3/kv/range", `{"key":"Zm9v","range_end":"Zm9w","count_only":true}`, 200, at("3") + `,"count":"1"}`},
		{"/v3/kv/range", `{"key":"Zm9v","sort_order":"DESCEND","sort_target":"MOD","limit":"1","serializable":true}`, 200,
			at("3") + `,"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"3","version":"2","value":"YmFy"}],"count":"1"}`},
		{"/v3/kv/range", `{}`, 400, `{"code":3,"message":"etcdserver: key is not provided"}`},
		{"/v3/kv/range", ``, 400, `{"code":3,"message":"etcdserver: key is not provided"}`},
		{"/v3/kv/range", `{"key":"Zm9v","revision":"999"}`, 400, `{"code":11,"message":"etcdserver: mvcc: required revision is a future revision"}`},
		{"/v3/kv/range", `{bad`, 400, `{"code":3,"message":"invalid character 'b' looking for beginning of object key string"}`},
		{"/v3/kv/range", `{"nosuch":1,"key":"Zm9v","countOnly":true}`, 200, at("3") + `,"count":"1"}`},
		{"/v3beta/kv/range", `{"key":"Zm9v","count_only":true}`, 200, at("3") + `,"count":"1"}`},
		{"/v3/kv/nosuch", `{}`, 404, `{"code":5,"message":"Not Found"}`},
		{"/v3alpha/kv/range", `{}`, 404, "404 page not found\n"},
		{"/v3/kv/txn", `{"compare":[{"target":"CREATE","key":"Zm9v","createRevision":"2"}],"success":[{"requestPut":{"key":"Zm9v","value":"YmFyMg=="}}]}`, 200,
			at("4") + `,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"4"}}}]}`},
		{"/v3/kv/txn", `{"compare":[{"target":"VERSION","result":"EQUAL","key":"Zm9v","version":"9"}],"failure":[{"request_range":{"key":"Zm9v"}}]}`, 200,
			at("4") + `,"responses":[{"response_range":{"header":{"revision":"4"},"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"4","version":"3","value":"YmFyMg=="}],"count":"1"}}]}`},
		{"/v3/kv/compaction", `{"revision":"2"}`, 200, at("4") + `}`},
		{"/v3/kv/compaction", `{"revision":2}`, 400, `{"code":11,"message":"etcdserver: mvcc: required revision has been compacted"}`},
		{"/v3/kv/deleterange", `{"key":"Zm9v","prev_kv":true}`, 200,
			at("5") + `,"deleted":"1","prev_kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"4","version":"3","value":"YmFyMg=="}]}`},
		{"/v3/lease/grant", `{"TTL":100,"ID":77}`, 200, at("5") + `,"ID":"77","TTL":"100"}`},
		{"/v3/lease/grant", `{"TTL":100,"ID":77}`, 400, `{"code":9,"message":"etcdserver: lease already exists"}`},
		{"/v3/lease/leases", `{}`, 200, at("5") + `,"leases":[{"ID":"77"}]}`},
		{"/v3/kv/lease/leases", `{}`, 200, at("5") + `,"leases":[{"ID":"77"}]}`},
		{"/v3/lease/keepalive", `{"ID":77}`, 200, `{"result":` + at("5") + `,"ID":"77","TTL":"100"}}`},
		{"/v3/lease/revoke", `{"ID":77}`, 200, at("5") + `}`},
		{"/v3/kv/lease/revoke", `{"ID":77}`, 404, `{"code":5,"message":"etcdserver: requested lease not found"}`},
		{"/v3/cluster/member/list", `{}`, 200,
			`{"header":{"cluster_id":"193","member_id":"161","raft_term":"1"},"members":[{"ID":"161","name":"site-a","clientURLs":["` + s.server.URLs()[0] + `"]}]}`},
		{"/v3/cluster/member/add", `{}`, 400, `{"code":3,"message":"etcdserver: given member URLs are invalid"}`},
		{"/v3/maintenance/alarm", `{}`, 200, at("5") + `}`},
		{"/v3/maintenance/defragment", `{}`, 200, `{}`},
	} {
		resp, body := s.post(t, tt.path, tt.body)
		if resp.StatusCode != tt.code || body != tt.want {
			t.Errorf("POST %s %s\n = %d %s,\nwant %d %s", tt.path, tt.body, resp.StatusCode, body, tt.code, tt.want)
		}
		want := "application/json"
		if tt.path == "/v3alpha/kv/range" {
			want = "text/plain; charset=utf-8"
		}
		if got := resp.Header.Get("Content-Type"); got != want {
			t.Errorf("POST %s: content type %q, want %q", tt.path, got, want)
		}
	}
	if resp, body := s.do(t, http.MethodGet, "/v3/kv/range", ""); resp.StatusCode != 501 || body != `{"code":12,"message":"Method Not Allowed"}` {
		t.Errorf("GET /v3/kv/range = %d %s, want 501 and code 12", resp.StatusCode, body)
	}
	if resp, body := s.do(t, http.MethodPost, "/v3/kv/range", `{"key":"Zm9v"}`, "Grpc-Timeout", "1n"); resp.StatusCode != 504 || body != `{"code":4,"message":"context deadline exceeded"}` {
		t.Errorf("a range within a nanosecond = %d %s, want 504 and code 4", resp.StatusCode, body)
	}
	s.notReady.Store(true)
	if resp, body := s.post(t, "/v3/kv/range", `{"key":"Zm9v"}`); resp.StatusCode != 503 || body != `{"code":14,"message":"etcdserver: no leader"}` {
		t.Errorf("a range before the node is ready = %d %s, want 503 and code 14", resp.StatusCode, body)
	}
}

// TestJSONGatewayLimits checks that large bodies are refused as etcd refuses
// them, and larger ones before they are read.
func TestJSONGatewayLimits(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		size, code int
		want       string
	}{
		{1_600_000, 400, `{"code":3,"message":"etcdserver: request is too large"}`},
		{2_200_000, 429, `{"code":8,"message":"grpc: received message larger than max (2200010 vs. 2097152)"}`},
		{3_300_000, 400, `{"code":3,"message":"http: request body too large"}`},
	} {
		resp, body := s.post(t, "/v3/kv/put", `{"key":"Zm9v","value":"`+base64.StdEncoding.EncodeToString(make([]byte, tt.size))+`"}`)
		if resp.StatusCode != tt.code || body != tt.want {
			t.Errorf("a put of %d bytes = %d %s, want %d %s", tt.size, resp.StatusCode, body, tt.code, tt.want)
		}
	}
}

// TestJSONGatewayWatch checks that a watch over HTTP sends each answer at once,
// and ends when its client goes, or when the server stops.
func TestJSONGatewayWatch(t *testing.T) {
	s := newSite(t)
	for _, ended := range []string{"by its client", "by the server"} {
		first := s.put(t, "foo", "old")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.URLs()[0]+"/v3/watch",
			strings.NewReader(`{"create_request":{"key":"Zm9v","prev_kv":true}}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := httpClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		if !lines.Scan() || !strings.Contains(compact(lines.Text()), `"created":true`) {
			t.Fatalf("first line %q, want created", lines.Text())
		}
		if second := s.put(t, "foo", "new"); second != first+1 {
			t.Fatalf("put at revision %d, want %d", second, first+1)
		}
		if !lines.Scan() || !strings.Contains(compact(lines.Text()), `"value":"bmV3"},"prev_kv":{"key":"Zm9v"`) {
			t.Fatalf("second line %q, want an event with the values new and old", lines.Text())
		}
		if ended == "by its client" {
			cancel()
			for s.view.Stats().Watchers > 0 {
				if t.Context().Err() != nil {
					t.Fatal("the watch outlived its client")
				}
				time.Sleep(time.Millisecond)
			}
			continue
		}
		down, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		if err := s.server.Shutdown(down); err != nil {
			t.Errorf("Shutdown during a watch = %v, want nil", err)
		}
		if !lines.Scan() || compact(lines.Text()) != `{"error":{"code":14,"message":"etcdserver: server stopped"}}` {
			t.Errorf("last line %q, want the error of a stopped server", lines.Text())
		}
	}
}

// TestHTTPAccess checks the CORS headers, OPTIONS, the host whitelist, and that
// neither a metrics URL nor a server without the gateway serves it.
func TestHTTPAccess(t *testing.T) {
	open := newSite(t, func(c *Config) { c.MetricsURLs = []string{"http://127.0.0.1:0"} })
	resp, _ := open.post(t, "/v3/kv/range", `{"key":"Zm9v"}`)
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("CORS origin %q, want *", got)
	}
	if resp, body := open.do(t, http.MethodOptions, "/v3/kv/range", ""); resp.StatusCode != 200 || body != "" {
		t.Errorf("OPTIONS = %d %q, want 200 and nothing", resp.StatusCode, body)
	}
	if code, _ := get(t, open.server.MetricsURLs()[0]+"/v3/kv/range"); code != http.StatusNotFound {
		t.Errorf("GET /v3/kv/range on the metrics URL = %d, want 404", code)
	}

	closed := newSite(t, func(c *Config) {
		c.CORS, c.HostWhitelist = []string{"https://a.example"}, []string{"127.0.0.1"}
		c.DisableJSONGateway = true
	})
	resp, body := closed.do(t, http.MethodGet, "/version", "", "Origin", "https://a.example")
	if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 200 || got != "https://a.example" {
		t.Errorf("GET /version of a known origin = %d %q, origin %q, want it allowed", resp.StatusCode, body, got)
	}
	resp, _ = closed.do(t, http.MethodGet, "/version", "", "Origin", "https://b.example")
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("CORS origin of an unknown one: %q, want none", got)
	}
	if resp, _ := closed.do(t, http.MethodGet, "/version", "", "Host", "evil.example:80"); resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("GET /version of an unknown host = %d, want 421", resp.StatusCode)
	}
	if resp, _ := closed.post(t, "/v3/kv/range", `{"key":"Zm9v"}`); resp.StatusCode != http.StatusNotFound {
		t.Errorf("POST /v3/kv/range without the gateway = %d, want 404", resp.StatusCode)
	}
}

// TestJSONGatewayCounts checks that calls over HTTP are counted as calls.
func TestJSONGatewayCounts(t *testing.T) {
	s := newSite(t)
	s.post(t, "/v3/kv/put", `{"key":"Zm9v","value":"YmFy"}`)
	if got := s.server.metrics.count(t, "grpc_server_handled_total", "Put"); got != 1 {
		t.Errorf("puts counted: %v, want 1", got)
	}
	resp, err := s.kv.Range(testContext(t), &pb.RangeRequest{Key: []byte("foo")})
	if err != nil || len(resp.Kvs) != 1 || !bytes.Equal(resp.Kvs[0].Value, []byte("bar")) {
		t.Errorf("Range over gRPC = %v, %v, want what HTTP put", resp, err)
	}
}

// TestJSONGatewayCertificate checks that a request whose user the gateway could
// not tell from its certificate is refused, once there are users; other pages are not.
func TestJSONGatewayCertificate(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(t, "server", false)
	ca.issue(t, "root", false)
	s := newSite(t, func(c *Config) {
		cheapHashes(c)
		c.ClientURLs = append(c.ClientURLs, "https://127.0.0.1:0")
		c.TLS = TLS{CertFile: ca.file("server.crt"), KeyFile: ca.file("server.key"), ClientCAFile: ca.file("ca.crt"), ClientCertAuth: true}
		c.HostWhitelist = []string{"127.0.0.1"}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: ca.client(t, "root")}}
	post := func(path, host string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, s.server.URLs()[1]+path, strings.NewReader(`{"key":"Zm9v"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := client.Do(req)
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
	if code, body := post("/v3/kv/range", "any.example"); code != http.StatusOK {
		t.Errorf("a range over TLS, whatever the host, without users = %d %s, want 200", code, body)
	}
	for _, path := range []string{"/v3/auth/user/add", "/v3/auth/role/add", "/v3/auth/user/grant", "/v3/auth/enable"} {
		if resp, body := s.post(t, path, `{"name":"root","user":"root","role":"root","password":"p"}`); resp.StatusCode != 200 {
			t.Fatalf("POST %s = %d %s", path, resp.StatusCode, body)
		}
	}
	if code, body := post("/v3/kv/range", ""); code != http.StatusBadRequest || !strings.HasPrefix(body, "CommonName of client") {
		t.Errorf("a range with a certificate that names a user = %d %s, want 400", code, body)
	}
	if code, _ := post("/health", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("POST /health with a certificate = %d, want 405", code)
	}
}
