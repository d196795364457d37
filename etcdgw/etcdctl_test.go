package etcdgw

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// etcdctl runs the real etcdctl against the site and returns what it printed.
func (s *site) etcdctl(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	path, err := exec.LookPath("etcdctl")
	if err != nil {
		t.Skip("etcdctl is not on PATH (Debian: apt-get install etcd-client)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"--endpoints", address(s.server)}, args...)...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// want runs etcdctl, which must succeed and print text.
func (s *site) want(t *testing.T, text string, args ...string) {
	t.Helper()
	out, errs, err := s.etcdctl(t, "", args...)
	if err != nil || out != text {
		t.Errorf("etcdctl %s printed %q, %v %s, want %q", strings.Join(args, " "), out, err, errs, text)
	}
}

func TestEtcdctl(t *testing.T) {
	s := newSite(t)
	s.want(t, "OK\n", "put", "k", "v")
	s.want(t, "k\nv\n", "get", "k")
	s.want(t, "OK\nk\nv\n", "put", "k", "w", "--prev-kv")
	s.want(t, "OK\n", "put", "l", "x")
	s.want(t, "l\n\nk\n\n", "get", "", "--prefix", "--keys-only", "--order=DESCEND", "--sort-by=KEY")
	s.want(t, "k\nv\n", "get", "k", "--rev=2")
	s.want(t, "2\n", "del", "", "--prefix")
	s.want(t, "", "get", "k")
	s.want(t, "compacted revision 3\n", "compact", "3")

	if _, errs, err := s.etcdctl(t, "", "get", "k", "--rev=2"); err == nil || !strings.Contains(errs, "etcdserver: mvcc: required revision has been compacted") {
		t.Errorf("get at a compacted revision printed %q, %v", errs, err)
	}
	if _, errs, err := s.etcdctl(t, "", "put", "", "v"); err == nil || !strings.Contains(errs, "etcdserver: key is not provided") {
		t.Errorf("put of no key printed %q, %v", errs, err)
	}
}

func TestEtcdctlTxn(t *testing.T) {
	s := newSite(t)
	s.want(t, "OK\n", "put", "k", "v")
	for _, tt := range []struct{ txn, want string }{
		{"value(\"k\") = \"v\"\n\nput k w\n\nget k\n\n", "SUCCESS\n\nOK\n"},
		{"value(\"k\") = \"v\"\n\nput k x\n\nget k\n\n", "FAILURE\n\nk\nw\n"},
		{"mod(\"none\") = \"0\"\n\nput none 1\ndel k\n\n\n", "SUCCESS\n\nOK\n\n1\n"},
	} {
		out, errs, err := s.etcdctl(t, tt.txn, "txn")
		if err != nil || out != tt.want {
			t.Errorf("etcdctl txn of %q printed %q, %v %s, want %q", tt.txn, out, err, errs, tt.want)
		}
	}
}

func TestEtcdctlLease(t *testing.T) {
	s := newSite(t)
	out, errs, err := s.etcdctl(t, "", "lease", "grant", "60")
	fields := strings.Fields(out) // lease 694d... granted with TTL(60s)
	if err != nil || len(fields) != 5 || fields[4] != "TTL(60s)" {
		t.Fatalf("lease grant printed %q, %v %s", out, err, errs)
	}
	id := fields[1]
	s.want(t, "OK\n", "put", "k", "v", "--lease="+id)
	s.want(t, "lease "+id+" keepalived with TTL(60)\n", "lease", "keep-alive", "--once", id)
	s.want(t, "found 1 leases\n"+id+"\n", "lease", "list")
	out, errs, err = s.etcdctl(t, "", "lease", "timetolive", "--keys", id)
	if err != nil || !strings.HasPrefix(out, "lease "+id+" granted with TTL(60s), remaining(") || !strings.HasSuffix(out, "attached keys([k])\n") {
		t.Errorf("lease timetolive printed %q, %v %s", out, err, errs)
	}
	s.want(t, "lease "+id+" revoked\n", "lease", "revoke", id)
	s.want(t, "", "get", "k")
	s.want(t, "lease "+id+" already expired\n", "lease", "timetolive", id)
}

func TestEtcdctlEndpoint(t *testing.T) {
	s := newSite(t)
	s.want(t, "a1, started, site-a, , "+s.server.URLs()[0]+", false\n", "member", "list")
	s.wantStatus(t)
	out, errs, err := s.etcdctl(t, "", "endpoint", "health")
	if text := out + errs; err != nil || !strings.Contains(text, address(s.server)+" is healthy") {
		t.Errorf("endpoint health printed %q, %v", text, err)
	}
	s.want(t, "", "alarm", "list")
	out, errs, err = s.etcdctl(t, "", "endpoint", "hashkv")
	if err != nil || !strings.HasPrefix(out, address(s.server)+", ") {
		t.Errorf("endpoint hashkv printed %q, %v %s", out, err, errs)
	}
	if out, _, err = s.etcdctl(t, "", "defrag"); err != nil || !strings.Contains(out, "Finished defragmenting") {
		t.Errorf("defrag printed %q, %v", out, err)
	}
	if _, errs, err = s.etcdctl(t, "", "member", "add", "b", "--peer-urls=http://127.0.0.1:1"); err == nil || !strings.Contains(errs, "etcdserver: not capable") {
		t.Errorf("member add printed %q, %v, want a refusal", errs, err)
	}
}

// wantStatus checks what etcdctl reads of Status. It asks for JSON, since the
// columns of the plain form differ between releases of etcdctl.
func (s *site) wantStatus(t *testing.T) {
	t.Helper()
	out, errs, err := s.etcdctl(t, "", "endpoint", "status", "-w", "json")
	if err != nil {
		t.Fatalf("endpoint status: %v %s", err, errs)
	}
	type status struct {
		Header struct {
			MemberID uint64 `json:"member_id"`
			RaftTerm uint64 `json:"raft_term"`
		} `json:"header"`
		Version   string   `json:"version"`
		DBSize    int64    `json:"dbSize"`
		Leader    uint64   `json:"leader"`
		RaftIndex uint64   `json:"raftIndex"`
		RaftTerm  uint64   `json:"raftTerm"`
		Errors    []string `json:"errors"`
		IsLearner bool     `json:"isLearner"`
	}
	var got []struct {
		Endpoint string
		Status   status
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 1 {
		t.Fatalf("endpoint status printed %q, %v", out, err)
	}
	want := status{Version: DefaultVersion, DBSize: 4096, Leader: 0xa1, RaftTerm: raftTerm}
	want.Header.MemberID, want.Header.RaftTerm = 0xa1, raftTerm
	if diff := cmp.Diff(want, got[0].Status); diff != "" || got[0].Endpoint != address(s.server) {
		t.Errorf("endpoint status of %s (-want +got):\n%s", got[0].Endpoint, diff)
	}
}

// TestEtcdctlWatch watches past and future changes with the real client.
func TestEtcdctlWatch(t *testing.T) {
	s := newSite(t)
	path, err := exec.LookPath("etcdctl")
	if err != nil {
		t.Skip("etcdctl is not on PATH (Debian: apt-get install etcd-client)")
	}
	s.put(t, "a/1", "old")
	cmd := exec.CommandContext(testContext(t), path, "--endpoints", address(s.server), "watch", "a/", "--prefix", "--rev=2", "--prev-kv")
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(pipe)
	wantLines := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if !lines.Scan() || lines.Text() != w {
				t.Fatalf("etcdctl watch printed %q, want %q (%v)", lines.Text(), w, lines.Err())
			}
		}
	}
	wantLines("PUT", "a/1", "old") // no value before
	s.put(t, "b", "other")
	s.put(t, "a/1", "new")
	wantLines("PUT", "a/1", "old", "a/1", "new")
	s.want(t, "1\n", "del", "a/1")
	wantLines("DELETE", "a/1", "new", "a/1", "")
}
