package node

import (
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/commit"
)

// causes are how causes of rotations are called.
var causes = map[commit.Cause]string{commit.CauseRequest: "request", commit.CauseOwnKey: "own-key", commit.CauseSibling: "sibling"}

// story tells what became of the node's key.
func (n *Node) story() admin.Story {
	s := n.pipeline.Story()
	told := admin.Story{
		State: string(s.State), Reason: s.Reason, Index: s.Index, Rotations: s.Rotations - min(s.Greatest, s.Rotations),
		Epoch: s.Epoch, Part: s.Part, Past: []admin.PastKey{},
		Usage: admin.Usage{Bytes: s.Bytes, MaxBytes: s.MaxBytes, Writes: s.Writes, MaxWrites: s.MaxWrites,
			Percent: max(commit.Percent(s.Bytes, s.MaxBytes), commit.Percent(s.Writes, s.MaxWrites))},
	}
	for _, k := range s.Past {
		past := admin.PastKey{Key: k.Key, Rotated: k.At, Cause: causes[k.Cause], Last: k.Last}
		if k.Shown != (dag.ID{}) {
			past.Shown = &k.Shown
		}
		told.Past = append(told.Past, past)
	}
	return told
}
