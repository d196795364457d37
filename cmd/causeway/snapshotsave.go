package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/etcdgw/etcdsnap"
)

func newSnapshotSave(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "save FILE",
		Short: "Save a snapshot of a running node, or of an etcd",
		Long: `Save asks a node for a snapshot through the etcd API, checks it, and writes it to a
file that only you can read. The file appears when it is complete. The flags are etcdctl's, but
for the password, which is asked for or read from --passphrase-fd.`,
		Example: `  causeway snapshot save backup.db
  causeway snapshot save backup.db --endpoint https://192.0.2.1:2379 --cacert ca.crt --cert me.crt --key me.key`,
		Args: exactly(1, "the file to write"),
	}
	e := &endpoint{}
	f := c.Flags()
	f.StringVar(&e.url, "endpoint", "http://127.0.0.1:2379", "client URL of the node")
	f.StringVar(&e.caFile, "cacert", "", "authorities that the node's certificate must come from (default the system's)")
	f.StringVar(&e.certFile, "cert", "", "client certificate")
	f.StringVar(&e.keyFile, "key", "", "its private key")
	f.BoolVar(&e.insecure, "insecure-skip-tls-verify", false, "do not check the node's certificate")
	user := f.String("user", "", "user to authenticate as, where users are enabled")
	f.StringVar(&e.url, "endpoints", e.url, "the same: etcdctl's name, which takes one here, too")
	_ = f.MarkHidden("endpoints") // the flag is there
	secret, out := passphraseFlag(c, std), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		password := ""
		if *user != "" {
			b, err := secret.read(cmd.Context(), fmt.Sprintf("Password of %s: ", *user))
			if err != nil {
				return err
			}
			password = string(b)
		}
		s, err := saveSnapshot(cmd.Context(), e, *user, password, args[0])
		if err != nil {
			return explainStatus(err)
		}
		return out.write(std.out, s, func(w io.Writer) {
			fmt.Fprintf(w, "file\t%s\n", s.File)
			fmt.Fprintf(w, "bytes\t%d\n", s.Bytes)
			fmt.Fprintf(w, "version\t%s\n", orDash(s.Version))
		})
	}
	return c
}

// saved is what save prints.
type saved struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`   // with the checksum
	Version string `json:"version"` // of the format; empty before etcd 3.6
}

// saveSnapshot writes a snapshot of an endpoint to path, which it replaces once
// the snapshot is complete and intact.
func saveSnapshot(ctx context.Context, e *endpoint, user, password, path string) (_ saved, err error) {
	conn, err := e.dial()
	if err != nil {
		return saved{}, err
	}
	defer conn.Close()
	if user != "" {
		resp, err := pb.NewAuthClient(conn).Authenticate(ctx, &pb.AuthenticateRequest{Name: user, Password: password})
		if err != nil {
			return saved{}, err
		}
		ctx = metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, resp.Token)
	}
	stream, err := pb.NewMaintenanceClient(conn).Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return saved{}, err
	}
	first, err := stream.Recv() // before anything is written: most calls that fail do here
	if err != nil {
		return saved{}, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return saved{}, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // again, perhaps
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	s := saved{File: path, Version: first.Version}
	for resp := first; ; {
		n, err := f.Write(resp.Blob)
		if err != nil {
			return saved{}, err
		}
		s.Bytes += int64(n)
		resp, err = stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return saved{}, err
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return saved{}, err
	}
	if err := verifySnapshot(ctx, f.Name()); err != nil {
		return saved{}, fmt.Errorf("what %s sent: %w", e.url, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return saved{}, err
	}
	return s, syncDir(filepath.Dir(path))
}

func verifySnapshot(ctx context.Context, path string) error {
	f, err := etcdsnap.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Verify(ctx)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// explainStatus leaves of a gRPC error what people can use.
func explainStatus(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}
