package kubernetes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

var (
	connectedFor = flag.Duration("connected", 70*time.Second, "how long TestTwoSites is connected before the cut; a node without news of 50 s would be unready")
	cutFor       = flag.Duration("cut", time.Minute, "how long the sites of TestTwoSites are cut off")
)

// twoSites are two control planes of one cluster, at two sites.
type twoSites struct {
	*journal
	mesh *harness.Sites
	at   [2]*cluster
}

// TestTwoSites runs one cluster stretched over two sites: a control plane on a
// node at each, with the profile "shared". For a while they are connected, then
// cut off while both go on, then connected again.
func TestTwoSites(t *testing.T) {
	if !harness.Island(t) {
		return
	}
	logs := harness.LogDir(t)
	s := &twoSites{journal: newJournal(), mesh: harness.StartSites(t, logs, 2)}
	t.Cleanup(func() { t.Logf("what happened:\n%s", s.journal) })
	trust := harness.NewTrust(t)
	var kubelets []*harness.Kubelets
	for i, node := range s.mesh.Nodes {
		name := harness.SiteName(i)
		plane := harness.Plane{Logs: logs, Endpoint: node.Endpoint, Site: name, Trust: trust, Services: fmt.Sprintf("10.0.%d.0/24", i)}
		s.at[i] = &cluster{name: name, store: node, ControlPlane: plane.Start(t)}
		s.observe(t, s.at[i])
		kubelets = append(kubelets, harness.StartKubeletsOf(t, s.at[i].Client, name, 2))
	}

	s.connected(t)
	s.cut(t)
	s.healed(t)

	s.stop()
	for i, c := range s.at {
		s.note("%s: restarts of kube-controller-manager %d, kube-scheduler %d", c.name, c.Controllers.Restarts(), c.Scheduler.Restarts())
		kubelets[i].Stop()
	}
	s.both(func(c *cluster) {
		c.Controllers.Stop()
		c.Scheduler.Stop()
		c.APIServer.Stop()
	})
	s.mesh.WaitEqual(stepTimeout)
}

// both runs a function at both sites at one time.
func (s *twoSites) both(f func(c *cluster)) {
	var work sync.WaitGroup
	for _, c := range s.at {
		work.Go(func() { f(c) })
	}
	work.Wait()
}

// onSite is a Deployment whose pods run at one site.
func onSite(name, site string, replicas int32) *apps.Deployment {
	d := deployment(name, replicas)
	d.Spec.Template.Spec.NodeSelector = map[string]string{harness.SiteLabel: site}
	return d
}

// connected is the time before the cut: one cluster of two sites. Nobody's pod is
// evicted, no node is unready, one controller manager and one scheduler lead.
func (s *twoSites) connected(t *testing.T) {
	s.note("--- connected")
	began := time.Now()
	a, b := s.at[0], s.at[1]
	s.oneLeads(t)
	for _, name := range []string{"steady", "busy", "cut", "doomed"} {
		a.namespace(t, name)
	}
	a.deploy(t, "steady", deployment("web", 6))
	a.deploy(t, "cut", deployment("web", 2))
	a.volume(t, "disk-1")
	a.volume(t, "disk-2")
	for _, c := range s.at {
		eventually(t, "the namespaces are at "+c.name, func(ctx context.Context) error {
			_, err := c.Client.CoreV1().ServiceAccounts("busy").Get(ctx, "default", meta.GetOptions{})
			return err
		})
		c.deploy(t, "busy", onSite("at-"+c.name, c.name, 2))
	}
	for _, c := range s.at {
		c.running(t, "steady", "web", 6)
		c.running(t, "cut", "web", 2)
		c.running(t, "busy", "at-"+a.name, 2)
		c.running(t, "busy", "at-"+b.name, 2)
	}
	ready := time.Now()
	for replicas := int32(3); time.Since(ready) < *connectedFor; replicas = 2 + replicas%4 {
		for _, c := range s.at {
			c.scale(t, "busy", "at-"+c.name, replicas)
		}
		time.Sleep(5 * time.Second) // load, not waiting
	}
	s.oneLeads(t)
	unready, evicted := s.counts()
	if unready > 0 || evicted > 0 {
		t.Errorf("while connected: nodes became unready %d times, %d pods were evicted", unready, evicted)
	}
	s.note("--- connected for %v", time.Since(began).Round(time.Second))
}

// cut is the time of the cut: each side goes on with leaders of its own.
func (s *twoSites) cut(t *testing.T) {
	s.note("--- cut")
	began := time.Now()
	s.mesh.Cut()
	// Before controllers have noticed anything: writes that the other site does not see.
	a, b := s.at[0], s.at[1]
	s.both(func(c *cluster) {
		for _, err := range []error{
			c.createNamespace(t, "same"), c.createNamespace(t, "only-"+c.name),
			c.createClaim(t, "cut", "same"), c.createAccount(t, "cut", "same"),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		c.deploy(t, "cut", onSite("same", c.name, 2))
	})
	if err := a.Client.CoreV1().Namespaces().Delete(t.Context(), "doomed", meta.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := b.Client.CoreV1().ConfigMaps("doomed").Create(t.Context(), configMap("filled", b.name), meta.CreateOptions{}); err != nil {
		t.Error(err)
	}
	a.setDeployment(t, "cut", "web", func(d *apps.Deployment) { four := int32(4); d.Spec.Replicas = &four })
	b.setDeployment(t, "cut", "web", func(d *apps.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "example.org/none:2" })

	s.both(func(c *cluster) {
		eventually(t, c.name+" has leaders of its own", func(ctx context.Context) error {
			for _, name := range leaderLeases {
				if holder, err := c.leader(ctx, name); err != nil || !strings.HasPrefix(holder, c.name+"_") {
					return fmt.Errorf("%s is led by %s: %w", name, holder, err)
				}
			}
			return nil
		})
		eventually(t, c.name+" serves a namespace made meanwhile", func(ctx context.Context) error {
			_, err := c.Client.CoreV1().ServiceAccounts("only-"+c.name).Get(ctx, "default", meta.GetOptions{})
			return err
		})
		c.deploy(t, "only-"+c.name, onSite("web", c.name, 2))
		c.running(t, "only-"+c.name, "web", 2)
		c.running(t, "cut", "same", 2)
	})
	time.Sleep(time.Until(began.Add(*cutFor)))
	for _, c := range s.at {
		s.note("%s: %s", c.name, c.summary(t))
	}
	s.note("--- cut for %v", time.Since(began).Round(time.Second))
}

// healed is the time after: one cluster again, in the same state at both sites.
func (s *twoSites) healed(t *testing.T) {
	s.note("--- healed")
	_, before := s.counts()
	s.mesh.Heal()
	s.oneLeads(t)
	for _, c := range s.at {
		eventually(t, "all nodes are ready at "+c.name, c.allReady)
		for _, other := range s.at {
			c.running(t, "only-"+other.name, "web", 2)
			c.running(t, "busy", "at-"+other.name, *c.getDeployment(t, "busy", "at-"+other.name).Spec.Replicas)
		}
		c.running(t, "steady", "web", 6)
		c.running(t, "cut", "same", 2)
		c.running(t, "cut", "web", 4)
		if d := c.getDeployment(t, "cut", "web"); d.Spec.Template.Spec.Containers[0].Image != "example.org/none:2" {
			t.Errorf("%s: scaled at one site and given another image at the other, it has %s", c.name, d.Spec.Template.Spec.Containers[0].Image)
		}
	}
	eventually(t, "the sites show the same objects", func(ctx context.Context) error {
		var shown [2][]string
		for i, c := range s.at {
			var err error
			if shown[i], err = c.objects(ctx); err != nil {
				return err
			}
		}
		for _, o := range shown[0] {
			if !slices.Contains(shown[1], o) {
				return fmt.Errorf("only at %s: %s", s.at[0].name, o)
			}
		}
		for _, o := range shown[1] {
			if !slices.Contains(shown[0], o) {
				return fmt.Errorf("only at %s: %s", s.at[1].name, o)
			}
		}
		return nil
	})
	for _, c := range s.at {
		if _, err := c.Client.CoreV1().ConfigMaps("doomed").Get(t.Context(), "filled", meta.GetOptions{}); err != nil {
			t.Errorf("%s: what was put into a namespace that the other deleted: %v", c.name, err)
		}
		if ns, err := c.Client.CoreV1().Namespaces().Get(t.Context(), "doomed", meta.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: the namespace that was deleted: %v, %v", c.name, ns, err)
		}
	}
	time.Sleep(20 * time.Second) // what comes late: controllers that resync, a garbage collector
	for _, c := range s.at {
		s.note("%s: %s", c.name, c.summary(t))
	}
	// After five minutes the pods of a lost node are deleted, as they have tolerations for no longer.
	if _, evicted := s.counts(); evicted != 0 && *cutFor < 5*time.Minute {
		t.Errorf("%d pods were evicted (%d before the healing)", evicted, before)
	}
	s.note("--- healed, in order")
}

// oneLeads waits until both sites say that the same one leads, of each kind.
func (s *twoSites) oneLeads(t *testing.T) {
	t.Helper()
	for _, name := range leaderLeases {
		eventually(t, "one "+name+" leads", func(ctx context.Context) error {
			one, err := s.at[0].leader(ctx, name)
			other, err2 := s.at[1].leader(ctx, name)
			if one != other {
				return fmt.Errorf("%s and %s lead", one, other)
			}
			return errors.Join(err, err2)
		})
	}
}

// leader returns who holds a lease that is not over.
func (c *cluster) leader(ctx context.Context, name string) (string, error) {
	lease, err := c.Client.CoordinationV1().Leases("kube-system").Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return "", err
	}
	spec := lease.Spec
	if spec.HolderIdentity == nil || spec.RenewTime == nil || *spec.HolderIdentity == "" {
		return "", errors.New("nobody leads")
	}
	if age := time.Since(spec.RenewTime.Time); age > 10*time.Second {
		return "", fmt.Errorf("%s renewed %v ago", *spec.HolderIdentity, age.Round(time.Second))
	}
	return *spec.HolderIdentity, nil
}

func (c *cluster) allReady(ctx context.Context) error {
	nodes, err := c.Client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	if len(nodes.Items) != 4 {
		return fmt.Errorf("%d nodes", len(nodes.Items))
	}
	for _, n := range nodes.Items {
		if len(n.Spec.Taints) > 0 {
			return fmt.Errorf("%s has taints %v", n.Name, n.Spec.Taints)
		}
	}
	return nil
}
