package etcdgw

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// jsonPaths are the JSON gateway's paths whose calls end by themselves.
var jsonPaths = []string{
	"/v3/kv/put", "/v3/kv/range", "/v3/kv/deleterange", "/v3/kv/txn", "/v3/kv/compaction", "/v3/lease/grant", "/v3/lease/revoke",
	"/v3/lease/leases", "/v3/lease/timetolive", "/v3/cluster/member/list", "/v3/maintenance/status", "/v3/maintenance/hash",
	"/v3/maintenance/alarm", "/v3/auth/status", "/v3/auth/role/add", "/v3/auth/user/list", "/v3/lock/unlock", "/v3/election/leader",
}

// FuzzJSONGateway sends whatever it likes as a request's JSON: the node answers
// with JSON, in time, and lives.
func FuzzJSONGateway(f *testing.F) {
	for i, body := range []string{
		`{"key":"Zm9v","value":"YmFy","lease":"1"}`, `{"key":"AA==","range_end":"AA==","limit":-1,"revision":"9223372036854775807"}`,
		`{"key":"Zm9v"}`, `{"compare":[{"key":"Zm9v","target":"VALUE","value":"YmFy"}],"success":[{"request_put":{"key":"Zm9v"}}],"failure":[{}]}`,
		`{"revision":1e30}`, `{"TTL":"-1"}`, `{"ID":null}`, `[]`, `{`, ``,
	} {
		f.Add(uint8(i), body)
	}
	s := newSite(f)
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, jsonPaths[int(path)%len(jsonPaths)], strings.NewReader(body))
		w := httptest.NewRecorder()
		s.server.jsonHandler().ServeHTTP(w, r)
		if ctx.Err() != nil {
			t.Fatalf("%s with %q was not answered in time", r.URL.Path, body)
		}
		if w.Code < 200 || w.Code > 599 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s with %q = %d, %q", r.URL.Path, body, w.Code, w.Body)
		}
	})
}
