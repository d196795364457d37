package mvcc

const (
	// windowBits is the number of low bits of a revision that count within its
	// window; the bits above name the window (docs/op.md section 8).
	windowBits = 40

	// maxWrites bounds the writes of one change, and maxTransactionBytes its
	// encoded size as a transaction: what an operation's body has room for
	// (docs/op.md section 4), less its own framing.
	maxWrites           = 65_536
	maxTransactionBytes = 4<<20 - 16<<10
	// writeOverhead is the most that a write's encoding adds to its key, end and
	// value, in bytes: tuple, kind, lengths, an incarnation with its link and a schema's ID.
	writeOverhead = 120
	// schemaOverhead is the most that a schema adds to operations besides its bytes:
	// one may be for it alone.
	schemaOverhead = 128

	// wholeEvery is after how many patches of a key the log holds its whole value
	// again, and wholeBytes how many bytes of the value each of them must stand
	// for: a value of 2 KB costs the log 32 bytes more for each patch, a larger one at most wholeBytes.
	wholeEvery = 64
	wholeBytes = 1 << 10
	// maxWholes bounds the whole values beside one received operation, in bytes.
	maxWholes = 1 << 20
	// smallPatch is how long a patch may be, in bytes, though it is longer than the value it makes.
	smallPatch = 256
	// keptTreeBytes bounds the values whose trees are kept, in bytes: the trees
	// take about ten times that.
	keptTreeBytes = 4 << 20
	// keptMerges and keptMergeBytes bound the keys whose concurrent writes are kept
	// in memory, and the bytes of these writes.
	keptMerges     = 64
	keptMergeBytes = 8 << 20

	// eventsPerCut is how many writes that saw each other are added up before they are left out for what they made.
	eventsPerCut = 64

	// keptRecords and keptRecordBytes bound the records that are kept parsed for
	// walks, and what they take: an operation of thousands of transactions, each of
	// them concurrent with others, must not read the same ones for each.
	// placeOverhead is what a write takes besides its key and value, in bytes.
	keptRecords     = 64
	keptRecordBytes = 16 << 20
	placeOverhead   = 256

	// amplifyFactor and amplifySlack bound what the transactions of a received operation make
	// while each is a revision of its own: so many times the bytes of its body, and that many bytes more
	// (docs/view.md, "Amplification"). Of operations that a node seals after some
	// milliseconds (node/commit) hardly any is beyond: one would have to patch twenty values of 64 KiB.
	amplifyFactor = 4
	amplifySlack  = 1 << 20
	// maxHistory bounds what other nodes' versions take in history, in bytes, and
	// historyShare is the part of the quota that does so if it is less.
	// Where it is reached the eighth that is oldest goes, so that not each operation compacts.
	maxHistory   = 512 << 20
	historyShare = 4
	trimShare    = 8

	// versionOverhead and leaseOverhead are what a version of a key counts for in
	// the quota besides its key and value, and a lease, in bytes: about what they
	// take in memory.
	versionOverhead = 128
	leaseOverhead   = 64
	// maxAlarms bounds the alarms that stand at one time: clients may raise them
	// for members that do not exist.
	maxAlarms = 1024

	// minLeaseTTL and maxLeaseTTL bound a lease's time to live, in seconds, as
	// etcd does with its default election timeout.
	minLeaseTTL = 2
	maxLeaseTTL = 9_000_000_000

	// chunkKeys is how many keys are visited under one hold of the lock, so that
	// a large range does not keep the writer waiting (some 50 µs).
	chunkKeys = 512
	// countEvents is how many events later than a revision are always taken back
	// from the count at the head, and tallyGain how many times as many as there
	// are keys: beyond, the keys are counted one by one.
	countEvents = 4096
	tallyGain   = 16
	// pruneEvents is how many events one Publish drops from compacted history at
	// least; it drops four for each event it publishes if that is more.
	pruneEvents = 1024

	// maxPending is how many events wait for one watcher. A watcher that falls
	// further behind is served from history instead.
	maxPending = 1024
	// maxPendingBytes is the size of keys and values waiting for one watcher above
	// which nothing is added.
	maxPendingBytes = 1 << 20
	// maxControl is how many answers to creates, cancels and progress requests
	// wait on one stream; Watch and Cancel block while there are more.
	maxControl = 256
	// maxResponseBytes is the size of keys and values after which no further
	// revision is added to a watch response.
	maxResponseBytes = 1 << 20
	// catchUpEvents is how many events of history one step of a watcher that
	// lags looks at under one hold of the lock.
	catchUpEvents = 2048
)
