package adversary

import (
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/liar"
)

// TestUndecodableKubernetesValues: with a policy that demands well-formed objects, a
// writer puts what is none under keys of Kubernetes. One such value would break every LIST
// of its kind; it is void at every node.
func TestUndecodableKubernetesValues(t *testing.T) {
	m := three(t)
	w := m.Watch(t)
	good := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"good","namespace":"team"},"data":{"a":"b"}}`
	m.Carry(t, m.World.State(m.World.OperatorKey(), nil, identity.Policy{Rules: []identity.PolicyRule{
		{Pattern: "/registry/configmaps/**", Priority: 10, Mode: identity.ModeMerge, Form: &identity.Form{Kind: "ConfigMap", Versions: []string{"v1"}}},
		{Pattern: "**", Mode: identity.ModeMerge},
	}}))
	key := m.Liar()
	l := m.NewLiar(t, key, m.Sites...)
	say := func(name, value string) {
		op := l.Sign(liar.Draft{Transactions: []dag.Transaction{liar.PutOf("/registry/configmaps/team/"+name, value)}})
		l.Take(op)
		l.Say(op)
		for _, s := range m.Sites {
			s.WaitFor(t, op.ID())
		}
	}
	for i, value := range []string{
		"", "garbage", "k8s\x00", "k8s\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "{", strings.Repeat("[", 600),
		strings.Replace(good, "ConfigMap", "Secret", 1), strings.Replace(good, `"v1"`, `"v9"`, 1),
		strings.Replace(good, `"namespace":"team"`, `"namespace":"other"`, 1),
		strings.Replace(good, `"data"`, `"kind":"Secret","data"`, 1),
	} {
		say(fmt.Sprintf("bad%d", i), strings.Replace(value, `"good"`, fmt.Sprintf(`"bad%d"`, i), 1))
	}
	say("good", good)
	for _, s := range m.Sites {
		resp, err := s.KV().Range(t.Context(), &pb.RangeRequest{Key: []byte("/registry/configmaps/"), RangeEnd: []byte("/registry/configmaps0")})
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.Kvs) != 1 || string(resp.Kvs[0].Value) != good {
			t.Errorf("%s lists %d values, want the one that is a ConfigMap", s.Name, len(resp.Kvs))
		}
	}
	w.Survived(t, Usual)
}
