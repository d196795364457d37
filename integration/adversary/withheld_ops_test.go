package adversary

import (
	"testing"
)

// TestWithheldOps: of the two peers of a node that has been away, one lies: it
// says that it holds just what the node holds. The other one's ops arrive all the same.
func TestWithheldOps(t *testing.T) {
	m := New(t, Config{Name: "withheld", Sites: 2, Liars: 2, Apart: true})
	w := m.Watch(t)
	away, good := m.Sites[0], m.Sites[1]
	l := m.NewLiar(t, m.Liar(), away) // a graph of what is at the one
	p := m.NewPeer(t, m.Liar(), away)
	p.Answer(p.stating(l.Graph()))
	p.Gossip(gossipHeads(p.Key.Public()))
	p.Sync(away, nil, hello(), tipsOf(p.mesh, l.Graph()).encode(), endFrame(), finFrame(true))
	good.Put(t, "/only/here", "seen")
	away.Put(t, "/only/there", "seen too")
	m.Link(t, good, away)
	away.Becomes(t, "/only/here", "seen")
	good.Becomes(t, "/only/there", "seen too")
	w.Survived(t, Usual)
}
