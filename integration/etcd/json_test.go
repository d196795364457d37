package etcd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// tableJSON puts requests to the JSON gateways. Only for the founder, whose
// revisions are etcd's.
func tableJSON(p *pair) {
	if p.node.base != 0 {
		p.t.Skip("the revisions of a joined node are not etcd's")
	}
	for _, c := range [][3]string{
		{"POST", "kv/put", `{"key":"anNvbi9h","value":"MQ=="}`},
		{"POST", "kv/put", `{"key":"anNvbi9h","value":"Mg==","prev_kv":true}`},
		{"POST", "kv/put", `{"key":"anNvbi9h","value":"Mg==","prevKv":true,"lease":"0"}`},
		{"POST", "kv/put", `{"key":"anNvbi9h","lease":"999"}`},
		{"POST", "kv/put", `{}`}, {"POST", "kv/put", ``}, {"POST", "kv/put", `{`}, {"POST", "kv/put", `{"key":"%"}`}, {"POST", "kv/put", `{"unknown":1}`},
		{"GET", "kv/put", ``}, {"PUT", "kv/put", `{}`}, {"POST", "kv/nothing", `{}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","range_end":"anNvbjA="}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","range_end":"anNvbjA=","limit":"1","sort_order":"DESCEND","sort_target":"MOD"}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","range_end":"anNvbjA=","count_only":true}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","sort_order":"SIDEWAYS"}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","revision":"1000000"}`},
		{"POST", "kv/range_stream", `{"key":"anNvbi8=","range_end":"anNvbjA="}`},
		{"POST", "kv/txn", `{"compare":[{"key":"anNvbi9h","target":"VERSION","version":"3"}],"success":[{"request_put":{"key":"anNvbi9i","value":"Mg=="}}],"failure":[{"request_range":{"key":"anNvbi9h"}}]}`},
		{"POST", "kv/txn", `{"compare":[{"key":"anNvbi9h","target":"VALUE","value":"Mw=="}],"failure":[{"request_range":{"key":"anNvbi9h"}}]}`},
		{"POST", "kv/deleterange", `{"key":"anNvbi8=","range_end":"anNvbjA=","prev_kv":true}`},
		{"POST", "kv/compaction", `{"revision":"1000000"}`},
		{"POST", "lease/grant", `{"ID":"81","TTL":"600"}`}, {"POST", "lease/grant", `{"ID":"81","TTL":"600"}`},
		{"POST", "lease/timetolive", `{"ID":"82","keys":true}`}, {"POST", "kv/lease/timetolive", `{"ID":"82"}`},
		{"POST", "lease/leases", `{}`}, {"POST", "lease/keepalive", `{"ID":"81"}`}, {"POST", "lease/revoke", `{"ID":"81"}`}, {"POST", "kv/lease/revoke", `{"ID":"81"}`},
		{"POST", "maintenance/alarm", `{"action":"GET"}`}, {"POST", "maintenance/defragment", `{}`},
		{"POST", "maintenance/transfer-leadership", `{"targetID":"2"}`},
		{"POST", "auth/status", `{}`}, {"POST", "auth/authenticate", `{"name":"root","password":"x"}`}, {"POST", "auth/user/list", `{}`},
		{"POST", "auth/role/get", `{"role":"none"}`},
	} {
		want, got := p.etcd.http(p, c), p.node.http(p, c)
		if diff := cmp.Diff(want, got); diff != "" {
			p.t.Errorf("%s /v3/%s %s (-etcd +node):\n%s", c[0], c[1], c[2], diff)
		}
	}
	p.now()
}

// reply is an answer over HTTP.
type reply struct {
	Status int
	Type   string
	Body   any // the JSON values, or the text
}

func (s *site) http(p *pair, c [3]string) reply {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), c[0], "http://"+s.addr+"/v3/"+c[1], strings.NewReader(c[2]))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, id := range []struct {
		name  string
		value uint64
	}{{"cluster_id", s.cluster}, {"member_id", s.member}, {"raft_term", s.term}} {
		for _, space := range []string{"", " "} { // the encoder adds them or not, by build
			body = bytes.ReplaceAll(body, fmt.Appendf(nil, "%q:%s\"%d\"", id.name, space, id.value), fmt.Appendf(nil, "%q:1", id.name))
		}
	}
	body = bytes.ReplaceAll(body, []byte("\u00a0"), []byte(" ")) // likewise, in error texts
	r := reply{Status: resp.StatusCode, Type: resp.Header.Get("Content-Type"), Body: string(body)}
	var values []any
	for dec := json.NewDecoder(bytes.NewReader(body)); ; {
		var v any
		if err := dec.Decode(&v); err == io.EOF {
			r.Body = values
			return r
		} else if err != nil {
			return r
		}
		values = append(values, v)
	}
}
