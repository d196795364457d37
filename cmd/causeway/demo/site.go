package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/admin"
)

// site is an honest node with an etcd client.
type site struct {
	name string
	dir  string
	node *node.Node
	conn *grpc.ClientConn
	kv   etcdserverpb.KVClient
}

// open starts the node of dir on free ports and connects a client to it.
func open(ctx context.Context, name, dir string, peers []string, logger *slog.Logger) (*site, error) {
	n, err := node.Open(ctx, node.Config{
		DataDir:          dir,
		Name:             name,
		ListenClientURLs: []string{"http://127.0.0.1:0"},
		ListenPeerAddrs:  []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"},
		Peers:            peers,
		Logger:           logger.With("site", name),
	})
	if err != nil {
		return nil, err
	}
	target := strings.TrimPrefix(n.ClientURLs()[0], "http://")
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return &site{name: name, dir: dir, node: n, conn: conn, kv: etcdserverpb.NewKVClient(conn)}, nil
}

func (s *site) close() error { return errors.Join(s.conn.Close(), s.node.Close()) }

// put writes one key through the etcd API.
func (s *site) put(ctx context.Context, key, value string) error {
	if _, err := s.kv.Put(ctx, &etcdserverpb.PutRequest{Key: []byte(key), Value: []byte(value)}); err != nil {
		return fmt.Errorf("put %s at %s: %w", key, s.name, err)
	}
	return nil
}

// get reads one key through the etcd API, "" if it is absent.
func (s *site) get(ctx context.Context, key string) (string, error) {
	resp, err := s.kv.Range(ctx, &etcdserverpb.RangeRequest{Key: []byte(key)})
	if err != nil {
		return "", fmt.Errorf("get %s at %s: %w", key, s.name, err)
	}
	if len(resp.Kvs) == 0 {
		return "", nil
	}
	return string(resp.Kvs[0].Value), nil
}

// await waits until key has value here.
func (s *site) await(ctx context.Context, key, value string) error {
	return until(ctx, fmt.Sprintf("%s is %q at %s", key, value, s.name), func() (bool, error) {
		got, err := s.get(ctx, key)
		return got == value, err
	})
}

// awaitConnected waits until a connection to other is there, or is gone.
func (s *site) awaitConnected(ctx context.Context, other *site, want bool) error {
	return until(ctx, fmt.Sprintf("%s and %s are connected: %v", s.name, other.name, want), func() (bool, error) {
		p, _, err := s.peer(ctx, other.node.Key())
		return p.Connected == want, err
	})
}

// peer returns what this site knows of a peer, and whether it knows it.
func (s *site) peer(ctx context.Context, key identity.PublicKey) (admin.Peer, bool, error) {
	st, err := s.node.Status(ctx)
	if err != nil {
		return admin.Peer{}, false, err
	}
	for _, p := range st.Peers {
		if p.ID == key {
			return p, true, nil
		}
	}
	return admin.Peer{}, false, nil
}

// invite makes a ticket for a writer of the keys that pattern matches.
func (s *site) invite(ctx context.Context, pattern string) (string, error) {
	operator, err := identity.ReadKeyFile(filepath.Join(s.dir, node.OperatorKeyFile), nil)
	if err != nil {
		return "", err
	}
	where, err := s.node.InviteSite(ctx, operator.Public())
	if err != nil {
		return "", err
	}
	req, err := admin.InviteRequest{Patterns: []string{pattern}}.Complete()
	if err != nil {
		return "", err
	}
	ticket, _, err := node.Invite(where, operator, req, time.Now())
	return ticket, err
}
