package etcdgw

import (
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// alarm sends an alarm request and returns its answer as JSON, without the header.
func (s *site) alarm(t *testing.T, body string) string {
	t.Helper()
	resp, text := s.post(t, "/v3/maintenance/alarm", body)
	if resp.StatusCode != 200 {
		t.Fatalf("alarm %s = %d %s", body, resp.StatusCode, text)
	}
	_, rest, _ := strings.Cut(text, `}`)
	return rest
}

// TestAlarm checks alarms raised by hand: the answers, what they refuse, and
// where they are shown. Texts are those of etcd 3.6.16.
func TestAlarm(t *testing.T) {
	s := newSite(t)
	s.put(t, "a", "1")
	for _, tt := range []struct{ body, want string }{
		{`{}`, `}`},
		{`{"action":"ACTIVATE","alarm":"NOSPACE","memberID":1}`, `,"alarms":[{"memberID":"1","alarm":"NOSPACE"}]}`},
		{`{"action":"ACTIVATE","alarm":"NOSPACE","memberID":1}`, `,"alarms":[{"memberID":"1","alarm":"NOSPACE"}]}`},
		{`{"action":"ACTIVATE","memberID":1}`, `}`},
		{`{"action":"GET","alarm":"CORRUPT"}`, `}`},
		{`{"action":"ACTIVATE","alarm":7,"memberID":9}`, `,"alarms":[{"memberID":"9","alarm":7}]}`},
		{`{"action":"GET","memberID":5}`, `,"alarms":[{"memberID":"1","alarm":"NOSPACE"},{"memberID":"9","alarm":7}]}`},
		{`{"action":"DEACTIVATE","alarm":"NOSPACE","memberID":2}`, `}`},
	} {
		if got := s.alarm(t, tt.body); got != tt.want {
			t.Errorf("alarm %s = …%s, want …%s", tt.body, got, tt.want)
		}
	}
	const noSpace, corrupt = `{"code":8,"message":"etcdserver: mvcc: database space exceeded"}`, `{"code":15,"message":"etcdserver: corrupt cluster"}`
	refused := func(want map[string]string) {
		t.Helper()
		for request, text := range want {
			path, body, _ := strings.Cut(request, " ")
			code := 200
			switch text {
			case noSpace:
				code = 429
			case corrupt:
				code = 500
			}
			if resp, got := s.post(t, path, body); resp.StatusCode != code || text != "" && got != text {
				t.Errorf("POST %s = %d %s, want %d %s", request, resp.StatusCode, got, code, text)
			}
		}
	}
	refused(map[string]string{
		`/v3/kv/put {"key":"Zm9v","value":"YmFy"}`:                  noSpace,
		`/v3/lease/grant {"TTL":100,"ID":78}`:                       noSpace,
		`/v3/kv/txn {"failure":[{"request_put":{"key":"Zm9v"}}]}`:   noSpace,
		`/v3/kv/txn {"success":[{"request_range":{"key":"Zm9v"}}]}`: "",
		`/v3/kv/range {"key":"Zm9v"}`:                               "",
		`/v3/kv/deleterange {"key":"Zm9v"}`:                         "",
	})
	health := func(path string, code int, text string) {
		t.Helper()
		if gotCode, got := get(t, s.server.URLs()[0]+path); gotCode != code || got != text {
			t.Errorf("GET %s = %d %q, want %d %q", path, gotCode, got, code, text)
		}
	}
	health("/health", 503, `{"health":"false","reason":"ALARM NOSPACE"}`+"\n")
	health("/health?exclude=NOSPACE", 503, `{"health":"false","reason":"ALARM UNKNOWN"}`+"\n")
	st, err := pb.NewMaintenanceClient(s.conn).Status(testContext(t), &pb.StatusRequest{})
	if want := []string{"memberID:1 alarm:NOSPACE", "memberID:9 alarm:7"}; err != nil || !slices.Equal(st.Errors, want) || st.DbSizeQuota != 1<<30 {
		t.Errorf("Status = %v, %v, want errors %q and a quota", st, err, want)
	}
	_, metrics := get(t, s.server.URLs()[0]+"/metrics")
	for _, want := range []string{
		`etcd_debugging_server_alarms{alarm_type="NOSPACE",server_id="1"} 1`,
		`etcd_debugging_server_alarms{alarm_type="7",server_id="9"} 1`,
		"etcd_server_quota_backend_bytes 1.073741824e+09",
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("GET /metrics lacks %q", want)
		}
	}

	s.alarm(t, `{"action":"DEACTIVATE","alarm":"NOSPACE","memberID":1}`)
	s.alarm(t, `{"action":"DEACTIVATE","alarm":7,"memberID":9}`)
	s.put(t, "a", "2")
	health("/health", 200, `{"health":"true","reason":""}`)
	s.alarm(t, `{"action":"ACTIVATE","alarm":"CORRUPT","memberID":1}`)
	refused(map[string]string{
		`/v3/kv/put {"key":"Zm9v","value":"YmFy"}`:                  corrupt,
		`/v3/kv/deleterange {"key":"Zm9v"}`:                         corrupt,
		`/v3/kv/compaction {"revision":"3"}`:                        corrupt,
		`/v3/lease/revoke {"ID":79}`:                                corrupt,
		`/v3/kv/txn {"success":[{"request_range":{"key":"Zm9v"}}]}`: "",
		`/v3/kv/range {"key":"Zm9v"}`:                               "",
	})
	health("/health", 503, `{"health":"false","reason":"ALARM CORRUPT"}`+"\n")
	health("/readyz/data_corruption", 503, "[-]data_corruption failed: alarm activated: CORRUPT\n\n")
}

// TestLogSpaceAlarm checks how little space for the log is shown: as an alarm
// that cannot be disarmed and ends by itself.
func TestLogSpaceAlarm(t *testing.T) {
	s := newSite(t)
	m := pb.NewMaintenanceClient(s.conn)
	s.spaceLow.Store(true)
	for _, body := range []string{`{}`, `{"action":"ACTIVATE","alarm":"NOSPACE","memberID":161}`, `{"action":"DEACTIVATE","alarm":"NOSPACE","memberID":161}`} {
		s.alarm(t, body)
		if got := s.alarm(t, `{}`); got != `,"alarms":[{"memberID":"161","alarm":"NOSPACE"}]}` {
			t.Errorf("alarms after %s: …%s, want one of type NOSPACE", body, got)
		}
	}
	st, err := m.Status(testContext(t), &pb.StatusRequest{})
	if want := []string{"memberID:161 alarm:NOSPACE", logSpaceError}; err != nil || !slices.Equal(st.Errors, want) {
		t.Errorf("Status = %v, %v, want errors %q", st, err, want)
	}
	if _, metrics := get(t, s.server.URLs()[0]+"/metrics"); !strings.Contains(metrics, "\ncauseway_log_space_low 1\n") {
		t.Error("GET /metrics lacks causeway_log_space_low 1")
	}
	s.spaceLow.Store(false)
	if got := s.alarm(t, `{}`); got != `}` {
		t.Errorf("alarms once there is space: …%s, want none", got)
	}
	if code, _ := get(t, s.server.URLs()[0]+"/health"); code != 200 {
		t.Errorf("GET /health once there is space = %d, want 200", code)
	}
}
