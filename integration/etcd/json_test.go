package etcd

import (
	"bytes"
	"context"
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
		// Spellings of the same, and what is none.
		{"POST", "kv/put", `{"key":"anNvbi9h","lease":0}`}, {"POST", "kv/put", `{"key":"anNvbi9h","lease":null,"value":null}`},
		{"POST", "kv/put", `{"key":"anNvbi9h","lease":"zero"}`}, {"POST", "kv/put", `{"key":"anNvbi9h","lease":1.5}`}, {"POST", "kv/put", `{"key":"anNvbi9h","lease":9223372036854775808}`},
		{"POST", "kv/put", `{"key":"anNvbi9h","prev_kv":"true"}`}, {"POST", "kv/put", `{"key":["a"]}`}, {"POST", "kv/put", `[]`}, {"POST", "kv/put", `"x"`}, {"POST", "kv/put", `null`},
		{"POST", "kv/put", `{"key":"anNvbi9h"} `}, {"POST", "kv/put", `{"key":"anNvbi9h"}{"key":"anNvbi9i"}`}, {"POST", "kv/put", `{"key":"anNvbi9h"}x`},
		{"POST", "kv/put", `{"key":"anNvbi9h","key":"anNvbi9i"}`}, {"POST", "kv/put", `{"KEY":"anNvbi9h"}`}, {"POST", "kv/put", `{"key":"_-8="}`}, {"POST", "kv/put", `{"key":"anNvbi9"}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","range_end":"anNvbjA=","sort_order":2,"sort_target":3}`}, {"POST", "kv/range", `{"key":"anNvbi8=","sort_order":7}`},
		{"POST", "kv/range", `{"key":"anNvbi8=","range_end":"anNvbjA=","keysOnly":true,"limit":1,"minModRevision":"1"}`},
		{"POST", "kv/range?key=anNvbi9h", `{}`}, {"GET", "kv/range?key=anNvbi9h", ``}, {"HEAD", "kv/range", ``}, {"OPTIONS", "kv/range", ``}, {"DELETE", "kv/range", ``},
		{"POST", "kv/range/", `{"key":"anNvbi9h"}`}, {"POST", "KV/range", `{"key":"anNvbi9h"}`}, {"POST", "", `{}`}, {"POST", "kv", `{}`},
		{"POST", "kv/txn", `{}`}, {"POST", "kv/txn", `{"success":[{}]}`}, {"POST", "kv/txn", `{"success":[{"requestPut":{"key":"anNvbi9h"},"requestRange":{"key":"anNvbi9h"}}]}`},
		{"POST", "kv/txn", `{"compare":[{"result":"EQUAL","key":"anNvbi9h","target":"CREATE","createRevision":"0"}],"failure":[{"requestTxn":{"success":[{"requestRange":{"key":"anNvbi9h"}}]}}]}`},
		{"POST", "kv/txn", `{"compare":[{"result":1,"key":"anNvbi9h","target":1,"version":"1"}]}`},
		{"POST", "cluster/member/remove", `{"ID":"12345"}`}, {"POST", "cluster/member/promote", `{"ID":"12345"}`},
		{"POST", "maintenance/hashkv", `{"revision":"1000000"}`},
		{"POST", "maintenance/alarm", `{"action":"DEACTIVATE","alarm":"NOSPACE"}`}, {"POST", "maintenance/alarm", `{"action":"SHOUT"}`},
		{"POST", "auth/enable", `{}`}, {"POST", "auth/disable", `{}`}, {"POST", "auth/user/add", `{}`}, {"POST", "auth/user/get", `{"name":"none"}`}, {"POST", "auth/role/add", `{}`},
		{"POST", "auth/role/grant", `{"name":"none","perm":{"permType":"READWRITE","key":"YQ=="}}`}, {"POST", "auth/role/grant", `{"name":"none","perm":{"permType":"ALL"}}`},
		{"POST", "lease/grant", `{"ID":"91","TTL":"-1"}`}, {"POST", "lease/grant", `{"id":"92","ttl":"600","ID":"93"}`}, {"POST", "lease/revoke", `{"ID":"91"}`}, {"POST", "lease/revoke", `{"ID":"93"}`}, {"POST", "lease/keepalive", `{"ID":"83"}{"ID":"84"}`}, {"POST", "lease/keepalive", ``}, {"POST", "kv/lease/leases", ``},
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
	ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c[0], "http://"+s.addr+"/v3/"+c[1], strings.NewReader(c[2]))
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
