package etcdgw

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/causeway-sync/causeway/etcdgw/etcdsnap"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

const (
	// maxSnapshots bounds the snapshots on disk at a time; further calls wait.
	maxSnapshots = 4
	// snapshotChunk is the most that a response holds of a snapshot, in bytes, as in etcd.
	snapshotChunk = 32 * 1024
)

// Snapshot implements Maintenance: it sends the published state, with its
// history, leases, users and roles, as the file that an etcd v3.6 of the same content would
// send. The file is built beside the log first, without holding up writers.
func (s *maintenanceServer) Snapshot(_ *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(errStopped) })()

	select {
	case s.snapshots <- struct{}{}:
		defer func() { <-s.snapshots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := s.snapshot(ctx, stream)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	if err != nil {
		s.log.Warn("a snapshot failed", "error", err)
	}
	return err
}

// snapshot builds a snapshot and sends it.
func (s *maintenanceServer) snapshot(ctx context.Context, stream pb.Maintenance_SnapshotServer) (err error) {
	begun := time.Now()
	w, err := etcdsnap.Create(s.cfg.TempDir)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	revision, err := s.buildSnapshot(ctx, w)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	size, err := w.Size()
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	out := &snapshotSender{stream: stream, remaining: size}
	chunks := bufio.NewWriterSize(out, snapshotChunk)
	sum, err := w.Copy(ctx, chunks)
	if err != nil {
		return err
	}
	if err := chunks.Flush(); err != nil {
		return err
	}
	if _, err := out.Write(sum[:]); err != nil {
		return err
	}
	s.log.Info("sent a snapshot", "revision", revision, "bytes", size, "took", time.Since(begun))
	return nil
}

// buildSnapshot fills w with the published state and returns its revision.
func (s *maintenanceServer) buildSnapshot(ctx context.Context, w *etcdsnap.Writer) (int64, error) {
	e := s.view.Export(s.cfg.Now())
	defer e.Close()
	meta := etcdsnap.Meta{
		Compacted: e.CompactRevision(), Index: s.backend.Status().Index, Term: raftTerm,
		MemberID: s.cfg.MemberID, Name: s.cfg.Name, ClientURLs: s.advertised(),
	}
	meta.Auth.Enabled, meta.Auth.Revision, meta.Auth.Users, meta.Auth.Roles = s.auth.Snapshot()
	err := e.Versions(ctx, func(kv *mvccpb.KeyValue, sub int64) error {
		return w.Put(etcdsnap.Revision{Main: kv.ModRevision, Sub: sub}, kv)
	})
	if err != nil {
		return 0, err
	}
	return e.Revision(), w.Finish(meta, leasesOf(e))
}

func leasesOf(e *mvcc.Export) []etcdsnap.Lease {
	var leases []etcdsnap.Lease
	for _, l := range e.Leases() {
		leases = append(leases, etcdsnap.Lease{ID: l.ID, TTL: l.GrantedTTL})
	}
	return leases
}

// snapshotSender sends what is written to it.
type snapshotSender struct {
	stream    pb.Maintenance_SnapshotServer
	remaining int64 // bytes of the database still to come
}

// Write implements io.Writer.
func (s *snapshotSender) Write(b []byte) (int, error) {
	for sent := 0; sent < len(b); {
		chunk := b[sent:min(len(b), sent+snapshotChunk)]
		s.remaining = max(s.remaining-int64(len(chunk)), 0) // the checksum is not counted
		err := s.stream.Send(&pb.SnapshotResponse{
			RemainingBytes: uint64(s.remaining), Blob: chunk, Version: etcdsnap.StorageVersion,
		})
		if err != nil {
			return sent, err
		}
		sent += len(chunk)
	}
	return len(b), nil
}
