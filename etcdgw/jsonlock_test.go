package etcdgw

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// TestJSONLock checks locks and elections over HTTP; the answers are those of etcd
// 3.6.16.
func TestJSONLock(t *testing.T) {
	s := newSite(t)
	const header = `"header":{"cluster_id":"193","member_id":"161","revision":"R","raft_term":"1"}`
	at := func(revision string) string { return strings.Replace(header, "R", revision, 1) }
	post := func(path, body string, code int, want string) {
		t.Helper()
		if resp, got := s.post(t, path, body); resp.StatusCode != code || got != want {
			t.Errorf("POST %s %s\n = %d %s,\nwant %d %s", path, body, resp.StatusCode, got, code, want)
		}
	}
	post("/v3/lease/grant", `{"TTL":100,"ID":77}`, 200, `{`+at("1")+`,"ID":"77","TTL":"100"}`)
	post("/v3/lock/lock", `{"name":"bQ==","lease":77}`, 200, `{`+at("2")+`,"key":"bS80ZA=="}`)
	post("/v3/lock/unlock", `{"key":"bS80ZA=="}`, 200, `{`+at("3")+`}`)
	post("/v3/lock/lock", `{"name":"bQ==","lease":78}`, 500, `{"code":2,"message":"etcdserver: requested lease not found"}`)
	post("/v3/lock/lock", `{bad`, 400, `{"code":3,"message":"invalid character 'b' looking for beginning of object key string"}`)
	leader := `"leader":{"name":"ZQ==","key":"ZS80ZA==","rev":"4","lease":"77"}`
	post("/v3/election/campaign", `{"name":"ZQ==","lease":77,"value":"dg=="}`, 200, `{`+at("4")+`,`+leader+`}`)
	post("/v3/election/proclaim", `{`+leader+`,"value":"dw=="}`, 200, `{`+at("5")+`}`)
	post("/v3/election/leader", `{"name":"ZQ=="}`, 200,
		`{`+at("5")+`,"kv":{"key":"ZS80ZA==","create_revision":"4","mod_revision":"5","version":"2","value":"dw==","lease":"77"}}`)

	req, err := http.NewRequestWithContext(testContext(t), http.MethodPost, s.server.URLs()[0]+"/v3/election/observe", strings.NewReader(`{"name":"ZQ=="}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for _, value := range []string{"dw==", "eA=="} {
		if !lines.Scan() || !strings.Contains(compact(lines.Text()), `"value":"`+value+`"`) {
			t.Fatalf("observed %q, want the value %s", lines.Text(), value)
		}
		if value == "dw==" {
			post("/v3/election/proclaim", `{`+leader+`,"value":"eA=="}`, 200, `{`+at("6")+`}`)
		}
	}
	post("/v3/election/resign", `{`+leader+`}`, 200, `{`+at("7")+`}`)
	post("/v3/election/leader", `{"name":"ZQ=="}`, 500, `{"code":2,"message":"election: no leader"}`)
}
