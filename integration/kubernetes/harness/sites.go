package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// peerNetwork has the addresses on which the nodes of [Sites] listen for each other.
const peerNetwork = "127.1.0.0/16"

// Sites are Causeway nodes of one mesh with the profile "shared", on an island
// (see [Island]) where the links between them can be cut.
type Sites struct {
	t testing.TB
	// Nodes run; the first has founded the mesh.
	Nodes []*Store
}

// StartSites founds a mesh of count nodes, each of an operator of its own, and
// returns when all have the same state.
func StartSites(t testing.TB, logs string, count int, flags ...string) *Sites {
	t.Helper()
	s := &Sites{t: t}
	for i := range count {
		node := newSite(t, logs, i, flags)
		if i > 0 {
			join(t, node, invite(t, s.Nodes[0]))
		}
		node.Start()
		s.Nodes = append(s.Nodes, node)
		if i == 0 {
			setProfile(t, node, "shared")
		}
	}
	s.WaitEqual(time.Minute)
	return s
}

// SiteName is what the i-th site is called in logs and host names.
func SiteName(i int) string { return "site-" + string(rune('a'+i)) }

func newSite(t testing.TB, logs string, i int, flags []string) *Store {
	t.Helper()
	s := &Store{Endpoint: "http://" + FreeAddr(t), Dir: t.TempDir()}
	address := fmt.Sprintf("127.1.0.%d", i+1)
	addAddress(t, address)
	args := append([]string{
		"serve", "--data-dir", s.Dir, "--listen-client-urls", s.Endpoint,
		"--listen-peer-addrs", "/ip4/" + address + "/tcp/7600",
	}, flags...)
	s.Process = newProcess(t, logs, SiteName(i)+".causeway", program(t, buildCauseway), args...)
	return s
}

// Cut cuts every link between sites.
func (s *Sites) Cut() { cutNetwork(s.t, true) }

// Heal mends what Cut has cut. The nodes find each other again by themselves.
func (s *Sites) Heal() { cutNetwork(s.t, false) }

// StateHash returns what `causeway status` says of a node's replicated keys and values.
func (s *Store) StateHash() string {
	s.t.Helper()
	return s.status().StateHash
}

// Unsettled returns how many keys `causeway status` says are unsettled.
func (s *Store) Unsettled() int {
	s.t.Helper()
	return s.status().Unsettled
}

// nodeStatus is what `causeway status` says, as far as tests ask for it.
type nodeStatus struct {
	StateHash string `json:"state_hash"`
	Unsettled int    `json:"unsettled_keys"`
}

func (s *Store) status() (v nodeStatus) {
	s.t.Helper()
	var msg bytes.Buffer
	cmd := exec.Command(s.bin, "status", "--data-dir", s.Dir, "-o", "json")
	cmd.Stderr = &msg
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("causeway status: %v\n%s", err, &msg)
	}
	if err := json.Unmarshal(out, &v); err != nil || v.StateHash == "" {
		s.t.Fatalf("causeway status: %v in %s", err, out)
	}
	return v
}

// WaitEqual waits until all nodes say that they have the same state. Control
// planes may be writing: their writes must only be seldom enough for a pause.
func (s *Sites) WaitEqual(limit time.Duration) {
	s.t.Helper()
	began := time.Now()
	for {
		hashes := make(map[string]bool)
		for _, n := range s.Nodes {
			hashes[n.StateHash()] = true
		}
		if len(hashes) == 1 {
			s.t.Logf("equal states after %v", time.Since(began).Round(10*time.Millisecond))
			return
		}
		if time.Since(began) > limit {
			s.t.Fatalf("the states differ after %v", limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
