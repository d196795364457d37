// Package etcdsnap writes and reads etcd's snapshot files: a bbolt database
// with etcd's v3.6 schema, followed by its SHA-256. What it writes, etcdutl
// restores and etcd serves; what etcd's own snapshots hold, it reads.
//
// A [Writer] builds a file; it needs memory for one batch of key-values. A
// [File] reads one. Files come from anywhere, so reading trusts nothing: it
// does not map the file or use bbolt, which takes what it maps at its word, but
// checks each page against the file's bounds and against having been read
// before. Damage is an error that wraps [ErrCorrupt]; no file causes a panic,
// an endless loop or memory beyond some multiple of its size.
//
// The layout, by bucket (etcd's server/storage/schema):
//
//	key              revision (main "_" sub, 8 bytes each, and "t" if a
//	                 deletion) → mvccpb.KeyValue
//	meta             consistent_index, term, confState, storageVersion,
//	                 scheduledCompactRev, finishedCompactRev
//	lease            ID, 8 bytes → message of ID and time to live
//	auth, authUsers, authRoles
//	                 whether users are checked, and authpb.User, authpb.Role by name
//	members, members_removed, cluster
//	                 membership, which a restore replaces
//	alarm            alarms raised: none
package etcdsnap

import (
	"encoding/binary"
	"fmt"
	"math"
)

// StorageVersion is the version of the schema written.
const StorageVersion = "3.6.0"

// Names of buckets and of values in the meta, cluster and auth buckets.
const (
	bucketKey            = "key"
	bucketMeta           = "meta"
	bucketLease          = "lease"
	bucketAlarm          = "alarm"
	bucketCluster        = "cluster"
	bucketMembers        = "members"
	bucketMembersRemoved = "members_removed"
	bucketAuth           = "auth"
	bucketAuthUsers      = "authUsers"
	bucketAuthRoles      = "authRoles"

	metaConsistentIndex  = "consistent_index"
	metaTerm             = "term"
	metaConfState        = "confState"
	metaStorageVersion   = "storageVersion"
	metaScheduledCompact = "scheduledCompactRev"
	metaFinishedCompact  = "finishedCompactRev"

	clusterVersion   = "clusterVersion"
	clusterDowngrade = "downgrade"

	authEnabled  = "authEnabled"
	authRevision = "authRevision"
)

// Revision is the place of a change among all: Main counts transactions, Sub
// the changes of one.
type Revision struct{ Main, Sub int64 }

const (
	revisionSize  = 17 // main, '_', sub
	tombstoneMark = 't'
)

// appendRevision appends the key of a change in the key bucket.
func appendRevision(b []byte, r Revision, tombstone bool) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Main))
	b = append(b, '_')
	b = binary.BigEndian.AppendUint64(b, uint64(r.Sub))
	if tombstone {
		b = append(b, tombstoneMark)
	}
	return b
}

// parseRevision reads a key of the key bucket.
func parseRevision(b []byte) (r Revision, tombstone bool, err error) {
	switch {
	case len(b) == revisionSize+1 && b[revisionSize] == tombstoneMark:
		tombstone = true
	case len(b) != revisionSize:
		return Revision{}, false, fmt.Errorf("%w: a revision of %d bytes", ErrCorrupt, len(b))
	}
	main, sub := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[9:])
	if b[8] != '_' || main > math.MaxInt64 || sub > math.MaxInt64 {
		return Revision{}, false, fmt.Errorf("%w: revision %x", ErrCorrupt, b)
	}
	return Revision{int64(main), int64(sub)}, tombstone, nil
}

// Lease is a lease in a snapshot.
type Lease struct {
	ID  int64
	TTL int64 // seconds, as granted
}
