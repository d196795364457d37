package etcdsnap

import (
	"context"
	"hash/crc32"
	"io"
)

// Status is what etcdutl says of a snapshot, under the same names.
type Status struct {
	Hash      uint32 `json:"hash"` // CRC-32C of all buckets
	Revision  int64  `json:"revision"`
	TotalKey  int    `json:"totalKey"`  // keys visible at the end
	TotalSize int64  `json:"totalSize"` // bytes of the database in use
	Version   string `json:"version"`   // of the schema; empty before etcd 3.6
}

// Status reads the whole file. Errors are those of Changes.
func (s *File) Status(ctx context.Context) (Status, error) {
	st := Status{TotalSize: s.db.size()}
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	live := make(map[string]struct{})
	s.db.reset()
	for _, name := range s.ordered {
		io.WriteString(h, name)
		err := s.walk(ctx, name, func(e entry) error {
			h.Write(e.key)
			h.Write(e.value)
			switch {
			case name == bucketMeta && string(e.key) == metaStorageVersion:
				st.Version = string(e.value)
			case name == bucketKey:
				r, kv, err := parseChange(e)
				if err != nil {
					return err
				}
				st.Revision = r.Main
				key := string(kv.GetKey()) // etcdutl counts the empty one as well
				if live[key] = struct{}{}; kv != nil && kv.Version == 0 {
					delete(live, key)
				}
			}
			return nil
		})
		if err != nil {
			return Status{}, err
		}
	}
	st.TotalKey, st.Hash = len(live), h.Sum32()
	return st, nil
}
