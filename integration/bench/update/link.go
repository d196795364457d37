package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"

	"github.com/causeway-sync/causeway/etcdgw/kube/kubetest"
	"github.com/causeway-sync/causeway/integration/fleet"
	"github.com/causeway-sync/causeway/integration/rival"
)

const (
	// apart is the time between two rounds of puts: no operation holds two rounds.
	apart = 60 * time.Millisecond
	// settle is how long what follows the last put may take: an announcement of heads, a sync.
	settle = 2 * time.Second
	// Pods at wholeKeys are written whole, by policy, those at mergeKeys as patches.
	mergeKeys, wholeKeys = "/registry/pods/default/", "/whole/pods/default/"
)

// A link is two connected nodes: a is written to, and b receives.
type link struct {
	a, b *fleet.Site
	addr string // where a listens for b
}

// connect starts both nodes.
func connect(all context.Context, scratch string) (*link, error) {
	l := new(link)
	binary, err := rival.BuildCauseway(all, scratch)
	if err != nil {
		return l, err
	}
	ctx, cancel := context.WithTimeout(all, time.Minute)
	defer cancel()
	start := func(name string, args ...string) (*fleet.Site, error) {
		s, err := fleet.New(binary, filepath.Join(scratch, name))
		if err != nil {
			return nil, err
		}
		if l.a != nil {
			ticket, err := l.a.Run(ctx, "", "invite", "--data-dir", l.a.Dir)
			if err != nil {
				return nil, err
			}
			if _, err := s.Run(ctx, ticket, "join", "--data-dir", s.Dir, "--operator-name", name); err != nil {
				return nil, err
			}
		}
		if err := s.Start(all, args...); err != nil {
			return nil, err
		}
		return s, s.Ready(ctx)
	}
	if l.a, err = start("a"); err != nil {
		return l, err
	}
	addrs, err := l.a.PeerAddrs(ctx)
	if err != nil || len(addrs) == 0 {
		return l, errors.Join(err, errors.New("the first node has no address"))
	}
	part := strings.Split(addrs[0], "/") // /ip4/HOST/tcp/PORT/p2p/ID
	if len(part) < 5 {
		return l, fmt.Errorf("address %q", addrs[0])
	}
	l.addr = net.JoinHostPort(part[2], part[4])
	if l.b, err = start("b", "--peers", addrs[0]); err != nil {
		return l, err
	}
	if _, err := l.a.Run(ctx, "", "policy", "set", "/whole/**", "lww", "--yes", "--data-dir", l.a.Dir); err != nil {
		return l, err
	}
	return l, l.create(ctx)
}

func (l *link) cut() {
	for _, s := range []*fleet.Site{l.a, l.b} {
		if s != nil {
			s.End(syscall.SIGTERM)
		}
	}
}

// cost is what an update costs, in bytes.
type cost struct {
	together  float64 // updates in an operation
	sent, tcp float64 // tcp is 0 if it was not measured
}

// measure has clients of a update objects that are there, as many at once as together says, after
// before was read. It returns what is read then, too.
func (l *link) measure(ctx context.Context, before counted, pod kubetest.Pod, together, rounds int, whole bool) (cost, counted, error) {
	conn, err := rival.Dial(l.a.Client)
	if err != nil {
		return cost{}, before, err
	}
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	for n := range rounds {
		var g errgroup.Group
		for i := range together {
			g.Go(func() error {
				_, err := kv.Put(ctx, &pb.PutRequest{Key: key(pod, whole, i), Value: pod.Make(n + 1)})
				return err
			})
		}
		if err := errors.Join(g.Wait(), pause(ctx, apart)); err != nil {
			return cost{}, before, err
		}
	}
	after, err := l.read(ctx)
	if err != nil {
		return cost{}, before, err
	}
	updates := float64(rounds * together)
	return cost{
		together: updates / (after.ops - before.ops),
		sent:     (after.sent - before.sent) / updates,
		tcp:      (after.tcp - before.tcp) / updates,
	}, after, nil
}

// key names the i-th Pod of an encoding.
func key(pod kubetest.Pod, whole bool, i int) []byte {
	prefix := mergeKeys
	if whole {
		prefix = wholeKeys
	}
	return fmt.Appendf(nil, "%s%s-7c5ddbdf54-%d", prefix, pod.Name, i)
}

// create puts all objects.
func (l *link) create(ctx context.Context) error {
	conn, err := rival.Dial(l.a.Client)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, pod := range kubetest.Pods {
		for i := range 32 {
			if _, err := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: key(pod, i >= 16, i%16), Value: pod.Make(0)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted is what went over the link so far.
type counted struct{ ops, sent, tcp float64 }

// read waits until nothing is on its way, and reads what was counted.
func (l *link) read(ctx context.Context) (c counted, err error) {
	if err := pause(ctx, settle); err != nil {
		return c, err
	}
	if c.ops, err = l.a.Metric(ctx, "causeway_ops_sealed_total"); err != nil {
		return c, err
	}
	text, err := l.b.Run(ctx, "", "peers", "-o", "json", "--data-dir", l.b.Dir)
	if err != nil {
		return c, err
	}
	var peers []struct {
		BytesIn float64 `json:"bytes_in"`
	}
	if err := json.Unmarshal([]byte(text), &peers); err != nil {
		return c, err
	}
	for _, p := range peers {
		c.sent += p.BytesIn
	}
	c.tcp = l.tcp(ctx)
	return c, nil
}

var received = regexp.MustCompile(`bytes_received:(\d+)`)

// tcp returns the bytes that b received over connections with a, 0 if ss does not say.
func (l *link) tcp(ctx context.Context) (n float64) {
	out, err := exec.CommandContext(ctx, "ss", "-tniH", "dst", l.addr).Output()
	if err != nil {
		return 0
	}
	for _, m := range received.FindAllSubmatch(out, -1) {
		k, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0
		}
		n += k
	}
	return n
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
